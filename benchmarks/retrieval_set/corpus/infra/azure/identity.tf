provider "azurerm" {
  features {}
}

resource "azurerm_resource_group" "login" {
  name     = "rg-login"
  location = "westeurope"
}

resource "azurerm_key_vault" "login" {
  name                       = "kv-acme-login"
  location                   = azurerm_resource_group.login.location
  resource_group_name        = azurerm_resource_group.login.name
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  soft_delete_retention_days = 90
  purge_protection_enabled   = true
}

# Employees sign in here for every internal tool.
resource "azuread_application" "tools" {
  display_name = "internal-tools"
  web {
    redirect_uris = ["https://tools.acme.example/oauth2/callback"]
  }
}

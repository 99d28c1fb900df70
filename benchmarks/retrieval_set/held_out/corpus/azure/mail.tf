resource "azurerm_servicebus_queue" "letters" {
  name                                 = "letters"
  namespace_id                         = azurerm_servicebus_namespace.mail.id
  max_delivery_count                   = 5
  dead_lettering_on_message_expiration = true
  lock_duration                        = "PT2M"
}

# Who gets a bill when the mail quota is overrun.
resource "azurerm_consumption_budget_resource_group" "mail" {
  name       = "mail"
  amount     = 400
  time_grain = "Monthly"
}

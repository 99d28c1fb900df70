rootProject.name = "ledger"
include("core", "service")

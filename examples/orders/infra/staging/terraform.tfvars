port = 8081

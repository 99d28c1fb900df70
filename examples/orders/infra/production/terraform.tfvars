port = 8082

module example.org/ping

go 1.24.2

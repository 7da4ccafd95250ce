dbhost: localhost
dbpassword: hunter2

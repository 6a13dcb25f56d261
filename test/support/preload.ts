// Runs before every test file: nothing here may open a connection.
export {}

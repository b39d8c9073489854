package virtualups

// Serve makes a server of any listener, such as one without sockets in a bubble.
var Serve = serve

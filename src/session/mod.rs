//! One client's conversation as a state machine without the socket.

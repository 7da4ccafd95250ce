//! Recipients to sessions: the shards that hold every logged-in client.

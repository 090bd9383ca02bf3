//! The sockscope server.

//! Talks to other people's servers, and keeps the credentials for them.

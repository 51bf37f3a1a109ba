//! Runs a command somewhere, supervised: process or Docker.

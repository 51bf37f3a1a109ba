//! Endpoints: runtimes, protocols, traffic split, prediction log, batch scoring.

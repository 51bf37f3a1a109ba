//! The mathematics of watching: frames, profiles, drift, quality, performance, alert rules.

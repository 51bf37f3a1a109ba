//! The use cases a person can ask for, the automation that asks by itself, and the wire types.

//! HTTP routes of every protocol, in front of the engine.

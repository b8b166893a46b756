//! Foreign protocols as plain types: Immich, MT Photos, the legacy gateway.

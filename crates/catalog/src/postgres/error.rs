//! What an error means to a person, and what to do.
use std::error::Error as _;

use tokio_postgres::{Error, error::SqlState};

use super::tls::refusal;
use crate::StoreError;

/// Explains an error of the database called `name`. Messages of the server name no password.
pub(super) fn explain(name: &str, error: &Error) -> StoreError {
    if let Some(why) = refusal(error) {
        return StoreError::Unusable(format!(
            "{name}: no encrypted connection: {why}; see sslmode and sslrootcert in its address"
        ));
    }
    let Some(said) = error.as_db_error() else {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        return StoreError::Away(format!("{name} does not answer: {cause}"));
    };
    let message = said.message();
    let code = said.code();
    let class = &code.code()[..2];
    match class {
        // Shutting down, starting, too many connections; deadlocks and the like, which a second try settles.
        "57" | "08" | "40" => StoreError::Away(format!("{name}: {message}")),
        "53" if *code == SqlState::TOO_MANY_CONNECTIONS => StoreError::Away(format!("{name}: {message}")),
        "53" => StoreError::Unusable(format!("{name} lacks room or memory: {message}")),
        "28" => StoreError::Unusable(format!("{name} refuses the user or the password: {message}")),
        "3D" => StoreError::Unusable(format!("{name}: {message}; make it first, or name another")),
        "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
            StoreError::Unusable(format!("{name} is read-only; name the primary server"))
        }
        "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Unusable(format!(
            "{name}: {message}; the user needs the right to create in this database"
        )),
        _ => StoreError::Internal(format!("{message} ({})", code.code())),
    }
}

//! What every store must do, on each of them, and what only one of them can get wrong.
mod data;
mod endurance;
mod places;
mod postgres;
mod postgres_pool;
mod postgres_tls;
mod quality;
mod searches;
mod sqlite;
mod suite;

//! A whole session of a user, against a broker that fails in every way at every route, and under a controller that is
//! killed at every step.
//!
//! | file | what |
//! |---|---|
//! | `broker` | a strict broker: it keeps what it made, and says what was done to it against the protocol |
//! | `gate` | counts what leaves a mark (requests to the broker, writes to the API server), and stops all at one of them |
//! | `relay` | stands between a controller and the API server, for the gate |
//! | `session` | the session, and what is true at each of its stations |
//! | `matrix` | every route × every failure |
//! | `kills` | a kill at every step |
//!
//! `CHANDLERY_TEST_FULL=1` takes all of them; otherwise a sample, chosen by `CHANDLERY_TEST_SEED`.

mod broker;
mod gate;
mod kills;
mod matrix;
mod relay;
mod session;

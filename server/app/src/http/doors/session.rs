//! Getting in.

use axum::extract::State;
use sockscope_wire::{Code, SessionRequest, SessionToken, Ticket};

use crate::http::{
    App,
    answer::{Answer, No, ok},
    front::auth::CodeRefused,
    request::Json,
};
use crate::problem::problem;

/// Exchanges a launch code for the token.
pub(in crate::http) async fn session(State(app): State<App>, Json(request): Json<SessionRequest>) -> Answer {
    match app.auth.redeem_code(&request.code) {
        Ok(token) => ok(&SessionToken { token }),
        Err(CodeRefused::Wrong) => Err(No(problem(
            Code::Unauthorized,
            "the code is used, too old or wrong: `sockscope link` makes a fresh one",
        ))),
        Err(CodeRefused::TooMany) => {
            Err(No(problem(Code::RateLimited, "too many wrong codes; wait a minute")))
        }
    }
}

/// A ticket for one WebSocket.
pub(in crate::http) async fn ticket(State(app): State<App>) -> Answer {
    ok(&Ticket { ticket: app.auth.ticket() })
}

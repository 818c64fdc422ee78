//! The demo's issuer: workers whom the region's description gives a login that everybody knows. Intake makes their tokens, in demo
//! mode only.

use proto::access::{DemoLogin, ListDemoLoginsRequest, SignInDemoRequest};

use crate::Gateway;
use crate::sign_in::Session;
use crate::web::Problem;

pub async fn logins(gateway: &Gateway) -> Result<Vec<DemoLogin>, Problem> {
    Ok(gateway.services().access()?.list_demo_logins(ListDemoLoginsRequest {}).await?.into_inner().logins)
}

pub async fn sign_in(gateway: &Gateway, organisation: &str, worker: &str, device: String) -> Result<Session, Problem> {
    if !gateway.settings().demo {
        return Err(Problem::not_found());
    }
    let request = SignInDemoRequest { organisation_id: organisation.to_owned(), worker_id: worker.to_owned(), device };
    let session = gateway.services().access()?.sign_in_demo(request).await?.into_inner();
    Ok(Session { kind: session.kind(), token: session.token })
}

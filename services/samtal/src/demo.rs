//! The demo region: applied at the start, with an integrator's token and lines to try.

use kernel::{Error, Result};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::{IssueTokenRequest, Principal, PrincipalKind};
use proto::config::ExportRegionRequest;
use proto::config::config_service_client::ConfigServiceClient;
use proto::intake::OpenCaseRequest;
use proto::intake::case_service_client::CaseServiceClient;

use crate::apply;
use crate::client::{self, Client};
use crate::suite::SERVICES;

/// The demo region's description, compiled in so that the binary needs no files.
pub const DEMO: &str = include_str!("../../../docs/examples/demo.yaml");

/// A door of the demo that never closes.
pub const DOOR: &str = "demo-open";
/// Life of the integrator's token in seconds.
const LIFE: u32 = 366 * 86_400;

/// What each service knows of the region.
async fn regions(operator: &Client) -> Result<Vec<region::Region>> {
    let mut regions = Vec::new();
    for service in SERVICES {
        let request = ExportRegionRequest { service: service.to_owned() };
        let mut config = ConfigServiceClient::new(operator.clone()).max_decoding_message_size(runtime::MAX_RESPONSE);
        let answer = config.export_region(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
        regions.push(serde_json::from_str(&answer.region_json).map_err(|error| Error::internal(error.to_string()))?);
    }
    Ok(regions)
}

/// What to try.
#[derive(Debug)]
pub struct Demo {
    pub integrator_token: String,
    pub case_id: String,
    /// A contact reason of the demo door.
    pub reason: String,
}

/// Loads the demo region and one first case. After a restart the region is what it was: somebody may have applied another. None: it has no
/// demo any more.
pub async fn load(operator: &Client, channel: tonic::transport::Channel) -> Result<Option<Demo>> {
    let document = region::parse("demo.yaml", DEMO).map_err(|findings| apply::refused(&findings))?;
    match regions(operator).await? {
        // A first start that was cut short has reached only some of the services.
        regions if regions.iter().any(|region| region.organisations.is_empty()) => {
            apply::apply(operator, &document).await?;
        }
        regions if regions.iter().any(|region| region.entry_point(DOOR).is_none()) => return Ok(None),
        _ => {}
    }
    let (organisation, entry_point) =
        document.region.entry_point(DOOR).ok_or_else(|| Error::internal(format!("the demo region has no entry point {DOOR}")))?;
    let reason = organisation.reasons_at(entry_point).first().map(|reason| reason.id.clone()).unwrap_or_default();
    let failed = |status: tonic::Status| rpc::status::error(&status);
    let request = IssueTokenRequest {
        request_id: "demo-integrator".to_owned(),
        principal: Some(Principal {
            kind: PrincipalKind::Integrator.into(),
            id: "demo-journal".to_owned(),
            organisation_id: organisation.id.clone(),
            clinic_ids: Vec::new(),
        }),
        ttl_seconds: LIFE,
    };
    let token = AccessServiceClient::new(operator.clone()).issue_token(request).await.map_err(failed)?.into_inner().token;
    let integrator = client::with_token(channel, &token)?;
    let request = OpenCaseRequest {
        request_id: "demo-first-case".to_owned(),
        entry_point_id: DOOR.to_owned(),
        contact_reason_id: reason.clone(),
        text: "Hej! Det här är ett första ärende att titta på.".to_owned(),
        ..OpenCaseRequest::default()
    };
    let opened = CaseServiceClient::new(integrator).open_case(request).await.map_err(failed)?.into_inner();
    let case = opened.case.ok_or_else(|| Error::internal("an opened case was not in the answer"))?;
    Ok(Some(Demo { integrator_token: token, case_id: case.case_id, reason }))
}

/// Three lines that work as printed.
pub fn lines(demo: &Demo, grpc: std::net::SocketAddr) -> String {
    let call = |method: &str, body: &str| {
        format!(
            "buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {}' \\\n  -d '{body}' \\\n  http://{grpc}/samtal.{method}",
            demo.integrator_token
        )
    };
    [
        "Open a case:".to_owned(),
        call(
            "intake.v1.CaseService/OpenCase",
            &format!(r#"{{"entryPointId": "{DOOR}", "contactReasonId": "{}", "text": "Hej, kan ni hjälpa mig?"}}"#, demo.reason),
        ),
        "Watch events, from the first one on (Ctrl-C ends it):".to_owned(),
        call("log.v1.EventLogService/Watch", r#"{"service": "intake", "fromStart": true}"#),
        "Read a transcript:".to_owned(),
        call("intake.v1.ConversationService/ListMessages", &format!(r#"{{"caseId": "{}"}}"#, demo.case_id)),
    ]
    .join("\n")
}

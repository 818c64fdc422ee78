//! Intake: entry points, visitors, cases, conversations, closing, rating, return phrase, retention, and the tokens of all.
//!
//! `api/` holds one file per RPC or small group, `app/` loads, decides and commits, `domain/` decides, `store/` holds the
//! SQL, `events/` takes over what triage and routing say, and tells open screens of scheduling's times.

mod api;
mod app;
pub mod domain;
mod events;
mod store;
mod wire;

pub use store::TABLES;

use std::sync::Arc;

use kernel::Result;
use proto::access::access_service_server::AccessServiceServer;
use proto::access::invitation_service_server::InvitationServiceServer;
use proto::access::passkey_service_server::PasskeyServiceServer;
use proto::access::sign_in_service_server::SignInServiceServer;
use proto::intake::case_service_server::CaseServiceServer;
use proto::intake::clinic_service_server::ClinicServiceServer;
use proto::intake::conversation_service_server::ConversationServiceServer;
use proto::intake::file_service_server::FileServiceServer;
use proto::intake::referral_service_server::ReferralServiceServer;
use proto::intake::transfer_service_server::TransferServiceServer;
use runtime::{Built, MAX_REQUEST, MAX_RESPONSE, Platform, RoutesBuilder};

/// Opens intake's database, starts consuming, and adds intake's services to `routes`.
pub async fn build(platform: &Platform, routes: &mut RoutesBuilder) -> Result<Built> {
    let node = platform.node("intake", &store::TABLES, |_| Vec::new()).await?;
    // The automaton of the word lists is built once, before the first visitor waits for it.
    screening::screen("");
    let app = app::App::new(node.clone())?;
    routes.add_service(AccessServiceServer::new(api::access::Access { node: node.clone() }).max_decoding_message_size(MAX_REQUEST));
    routes.add_service(
        SignInServiceServer::new(api::sign_in::SignIn { node: node.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    routes.add_service(
        InvitationServiceServer::new(api::invitations::Invitations { node: node.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    routes.add_service(PasskeyServiceServer::new(api::passkeys::Passkeys { node: node.clone() }).max_decoding_message_size(MAX_REQUEST));
    routes.add_service(
        CaseServiceServer::new(api::cases::Cases { app: app.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    routes.add_service(
        ClinicServiceServer::new(api::clinics::Clinics { app: app.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    routes.add_service(ReferralServiceServer::new(api::referrals::Referrals { app: app.clone() }).max_decoding_message_size(MAX_REQUEST));
    routes.add_service(TransferServiceServer::new(api::transfers::Transfers { app: app.clone() }).max_decoding_message_size(MAX_REQUEST));
    routes.add_service(
        FileServiceServer::new(api::files::FileTransfer { app: app.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    routes.add_service(
        ConversationServiceServer::new(api::conversations::Conversations { app: app.clone() })
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_RESPONSE),
    );
    let handlers: Vec<Arc<dyn log::Handler>> = vec![
        Arc::new(events::routing::Routing { app: app.clone() }),
        Arc::new(events::triage::Triage { app: app.clone() }),
        Arc::new(events::scheduling::Scheduling { app: app.clone() }),
    ];
    for handler in &handlers {
        node.consume(handler.clone())?;
    }
    let standing = node.timers(Arc::new(app::retention::Retention { app: app.clone() }));
    Ok(Built { node, handlers, standing: Some(standing) })
}

//! TransferService.

use proto::intake::transfer_service_server::TransferService;
use proto::intake::{
    AnswerTransferRequest, AnswerTransferResponse, GetTransferRequest, GetTransferResponse, ProposeTransferRequest,
    ProposeTransferResponse, WithdrawTransferRequest, WithdrawTransferResponse,
};
use rpc::caller::reply;
use rpc::{Answer, caller, status};
use tonic::Request;

use crate::app::App;

pub struct Transfers {
    pub app: App,
}

#[tonic::async_trait]
impl TransferService for Transfers {
    async fn propose_transfer(&self, request: Request<ProposeTransferRequest>) -> Answer<ProposeTransferResponse> {
        let caller = caller(&request).map_err(status)?;
        let (transfer, receipt) = self.app.propose_transfer(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", ProposeTransferResponse { transfer: Some(transfer) }, &receipt))
    }

    async fn withdraw_transfer(&self, request: Request<WithdrawTransferRequest>) -> Answer<WithdrawTransferResponse> {
        let caller = caller(&request).map_err(status)?;
        let (transfer, receipt) = self.app.withdraw_transfer(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", WithdrawTransferResponse { transfer: Some(transfer) }, &receipt))
    }

    async fn answer_transfer(&self, request: Request<AnswerTransferRequest>) -> Answer<AnswerTransferResponse> {
        let caller = caller(&request).map_err(status)?;
        let (answer, receipt) = self.app.answer_transfer(caller, request.into_inner()).await.map_err(status)?;
        Ok(reply("intake", answer, &receipt))
    }

    async fn get_transfer(&self, request: Request<GetTransferRequest>) -> Answer<GetTransferResponse> {
        let caller = caller(&request).map_err(status)?;
        self.app.transfer(&caller, &request.into_inner()).await.map(Into::into).map_err(status)
    }
}

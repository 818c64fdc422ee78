//! A posted form as a struct; what does not fit is said as a page.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::web::Problem;

/// Whether a page's script has posted, which wants to know what became of it rather than be led to a page.
pub fn scripted(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json")
}

/// The fields of a posted form. `form_token` was checked before and need not be among them.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let form = axum::Form::<T>::from_request(request, state).await.map_err(|_| Problem::invalid())?;
        Ok(Self(form.0))
    }
}

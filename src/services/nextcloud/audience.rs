//! Nextcloud's mounts as the look-up wants them.

use super::directory::Directory;
use crate::{
    client::database::StoreError,
    push::recipient::Recipient,
    services::nextcloud::{
        audience_index,
        audience_index::{Listing, Seen, Unavailable},
    },
};
use futures_util::{FutureExt, future::BoxFuture};

impl audience_index::Directory for Directory {
    fn who_sees(&self, storage: i64) -> BoxFuture<'_, Result<Listing, Unavailable>> {
        async move {
            let mut listing = Listing::default();
            let mut each = |mount: super::directory::Mount<'_>| listing.add(mount.root, mount.user);
            self.mounts_on(storage, &mut each).await.map_err(|error| unavailable(&error))?;
            Ok(listing)
        }
        .boxed()
    }

    fn what_is_seen(
        &self,
        recipients: Vec<Recipient>,
    ) -> BoxFuture<'_, Result<Vec<Seen>, Unavailable>> {
        async move {
            let mut seen = Vec::new();
            let mut each = |mount: super::directory::Mount<'_>| {
                let recipient = Recipient::from(mount.user);
                seen.push(Seen { recipient, storage: mount.storage, root: mount.root.into() });
            };
            self.mounts_of_many(&recipients, &mut each)
                .await
                .map_err(|error| unavailable(&error))?;
            Ok(seen)
        }
        .boxed()
    }
}

/// The store itself complains; here only that there is no answer matters.
fn unavailable(error: &StoreError) -> Unavailable {
    tracing::debug!("mounts not read: {error}");
    Unavailable
}

//! Nextcloud's mounts as the look-up wants them.

use super::mount_store::MountStore;
use crate::{
    client::database::DatabaseClientError,
    push::recipient::Recipient,
    services::nextcloud::{
        audience,
        audience::{DirectoryUnavailable, StorageListing, VisibleMount},
    },
};
use futures_util::{FutureExt, future::BoxFuture};

impl audience::MountDirectory for MountStore {
    fn list_storage(
        &self,
        storage: i64,
    ) -> BoxFuture<'_, Result<StorageListing, DirectoryUnavailable>> {
        async move {
            let mut listing = StorageListing::default();
            let mut each =
                |mount: super::mount_store::StorageMount<'_>| listing.add(mount.root, mount.user);
            self.mounts_of_storage(storage, &mut each)
                .await
                .map_err(|error| unavailable(&error))?;
            Ok(listing)
        }
        .boxed()
    }

    fn visible_mounts(
        &self,
        recipients: Vec<Recipient>,
    ) -> BoxFuture<'_, Result<Vec<VisibleMount>, DirectoryUnavailable>> {
        async move {
            let mut seen = Vec::new();
            let mut each = |mount: super::mount_store::StorageMount<'_>| {
                let recipient = Recipient::from(mount.user);
                seen.push(VisibleMount {
                    recipient,
                    storage: mount.storage,
                    root: mount.root.into(),
                });
            };
            self.mounts_of_users(&recipients, &mut each)
                .await
                .map_err(|error| unavailable(&error))?;
            Ok(seen)
        }
        .boxed()
    }
}

/// The store itself complains; here only that there is no answer matters.
fn unavailable(error: &DatabaseClientError) -> DirectoryUnavailable {
    tracing::debug!("mounts not read: {error}");
    DirectoryUnavailable
}

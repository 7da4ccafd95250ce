//! Remedies in the configuration language of each reverse proxy.

use crate::{
    doctor::CheckFinding,
    server::{BindAddress, ListenSettings},
};

/// A reverse proxy, identified by its `Server` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReverseProxy {
    Nginx,
    Apache,
    Caddy,
    Unknown,
}

impl ReverseProxy {
    pub(super) fn of(server: Option<&str>) -> Self {
        let server = server.unwrap_or_default().to_ascii_lowercase();
        match () {
            () if server.contains("nginx") || server.contains("openresty") => Self::Nginx,
            () if server.contains("apache") => Self::Apache,
            () if server.contains("caddy") => Self::Caddy,
            () => Self::Unknown,
        }
    }

    /// How it forwards an upgrade.
    pub(super) fn advise_upgrade(self, finding: CheckFinding) -> CheckFinding {
        let finding = match self {
            Self::Nginx | Self::Unknown => finding
                .advise("nginx, in the location of /push/ (nginx/notify_push.conf has it all):")
                .paste(
                    "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n\
                     proxy_set_header Connection \"upgrade\";",
                ),
            Self::Apache => finding,
            Self::Caddy => finding
                .advise("Caddy forwards it by default: look for a proxy before or behind it."),
        };
        match self {
            Self::Apache | Self::Unknown => {
                finding.advise("Apache (apache/notify_push.conf has it all):").run(
                    "sudo a2enmod proxy proxy_http proxy_wstunnel && sudo systemctl reload apache2",
                )
            }
            Self::Nginx | Self::Caddy => finding,
        }
    }

    /// How it forwards `/push/`.
    pub(super) fn advise_location(
        self,
        finding: CheckFinding,
        listen: &ListenSettings,
    ) -> CheckFinding {
        match self {
            Self::Nginx => finding.advise("nginx, in the server block of Nextcloud, above its locations:")
                .paste("include /etc/nginx/snippets/notify_push.conf;")
                .advise("with the file nginx/notify_push.conf of this project at that place; then:")
                .run("sudo nginx -t && sudo systemctl reload nginx"),
            Self::Apache => finding.advise("Apache, in the virtual host of Nextcloud, with the file apache/notify_push.conf of this project:")
                .paste("Include /etc/apache2/notify_push.conf")
                .advise("then:")
                .run("sudo apachectl configtest && sudo systemctl reload apache2"),
            Self::Caddy => finding.advise("Caddy, in the site of Nextcloud, above the other handlers:")
                .paste(format!("handle_path /push/* {{\n    reverse_proxy {}\n}}", upstream(listen))),
            Self::Unknown => finding.advise(
                "Let the proxy forward /push/ to the daemon: nginx/notify_push.conf and \
                 apache/notify_push.conf of this project show how.",
            ),
        }
    }

    /// How it forwards the client's address.
    pub(super) fn advise_forwarded_header(self, finding: CheckFinding) -> CheckFinding {
        match self {
            Self::Apache | Self::Caddy => finding.advise(
                "Apache and Caddy do it by default: look for a rule that removes X-Forwarded-For.",
            ),
            Self::Nginx | Self::Unknown => finding
                .advise("nginx, in the location of /push/:")
                .paste("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"),
        }
    }
}

/// The daemon as Caddy names it.
fn upstream(listen: &ListenSettings) -> String {
    match &listen.bind {
        BindAddress::Tcp { port, .. } => format!("127.0.0.1:{port}"),
        BindAddress::Unix { path, .. } => format!("unix/{}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::ReverseProxy;

    #[test]
    fn the_server_header_identifies_the_proxy() {
        assert_eq!(ReverseProxy::of(Some("nginx/1.26.0")), ReverseProxy::Nginx);
        assert_eq!(ReverseProxy::of(Some("Apache/2.4.62 (Debian)")), ReverseProxy::Apache);
        assert_eq!(ReverseProxy::of(None), ReverseProxy::Unknown);
    }
}

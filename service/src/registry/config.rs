//! Ready configurations of registries that trust us.

use std::str::FromStr;

use crate::settings::Settings;

/// A registry that can be configured to trust us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryKind {
    /// distribution 2.8, such as Debian's `docker-registry`.
    Distribution2,
    /// distribution 3.
    Distribution3,
    /// zot.
    Zot,
}

impl FromStr for RegistryKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "2.8" => Ok(Self::Distribution2),
            "3" => Ok(Self::Distribution3),
            "zot" => Ok(Self::Zot),
            _ => Err("must be `2.8`, `3` or `zot`"),
        }
    }
}

/// A configuration of a registry that sends its clients here.
pub fn config(settings: &Settings, kind: RegistryKind) -> String {
    let realm = quoted(&format!("{}/v2/auth", settings.public_url));
    let service = quoted(settings.registry.services.first().map_or("", String::as_str));
    let issuer = quoted(settings.registry_issuer());
    match kind {
        RegistryKind::Distribution2 => distribution(
            "2.8",
            "/etc/docker/registry",
            &format!(
                "    realm: {realm}
    service: {service}
    issuer: {issuer}
    rootcertbundle: /etc/docker/registry/claviger.pem
"
            ),
        ),
        RegistryKind::Distribution3 => distribution(
            "3",
            "/etc/distribution",
            &format!(
                "    realm: {realm}
    service: {service}
    issuer: {issuer}
    rootcertbundle: /etc/distribution/claviger.pem
    signingalgorithms:
      - ES256
"
            ),
        ),
        RegistryKind::Zot => format!(
            r#"{{
  "distSpecVersion": "1.1.1",
  "storage": {{
    "rootDirectory": "/var/lib/zot"
  }},
  "http": {{
    "address": "127.0.0.1",
    "port": "5000",
    "auth": {{
      "bearer": {{
        "realm": {realm},
        "service": {service},
        "cert": "/etc/zot/claviger.pem"
      }}
    }}
  }},
  "log": {{
    "level": "info"
  }}
}}
"#
        ),
    }
}

fn distribution(version: &str, folder: &str, token: &str) -> String {
    format!(
        "# distribution {version}: put this beside the certificate that `claviger registry cert` prints,
# as {folder}/config.yml and {folder}/claviger.pem.
version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: 127.0.0.1:5000
  relativeurls: true
auth:
  token:
{token}"
    )
}

/// Text in double quotes, as both YAML and JSON read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings =
            Settings { public_url: "https://keys.example.com".to_owned(), ..Settings::default() };
        settings.registry.services = vec!["reg.example.com".to_owned(), "other".to_owned()];
        settings
    }

    #[test]
    fn distribution_is_told_realm_service_issuer_and_certificate() {
        let text = config(&settings(), RegistryKind::Distribution2);
        let token = "auth:
  token:
    realm: \"https://keys.example.com/v2/auth\"
    service: \"reg.example.com\"
    issuer: \"https://keys.example.com\"
    rootcertbundle: /etc/docker/registry/claviger.pem
";
        assert!(text.ends_with(token), "{text}");
        assert!(config(&settings(), RegistryKind::Distribution3).ends_with("      - ES256\n"));
    }

    #[test]
    fn zot_is_configured_in_json() {
        let text = config(&settings(), "zot".parse().unwrap());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let bearer = &json["http"]["auth"]["bearer"];
        assert_eq!(bearer["realm"], "https://keys.example.com/v2/auth");
        assert_eq!(bearer["service"], "reg.example.com");
    }
}

//! What actoolkit 3.0.2 sends, as it was recorded: its headers, its bodies, its `+` for blanks. The
//! client itself is in no Debian package; `scripts/astra-client` runs it.

use claviger_service::Settings;
use claviger_tests::{answer::Answer, app::TestApp, server::Server};
use http::Request;
use serde_json::Value;

use super::world::{first_account, token};

/// The client, with its session.
struct Client<'a> {
    app: &'a TestApp,
    base: String,
    token: String,
}

impl Client<'_> {
    /// A request with the headers in its order, and its body; only the ids are of now.
    async fn send(&self, method: &str, path: &str, media: Option<&str>, body: &str) -> Answer {
        let media_out = media.unwrap_or("*/*");
        let media_in = media.unwrap_or("application/json");
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.base))
            .header("host", "127.0.0.1:8443")
            .header("user-agent", "python-requests/2.32.2")
            .header("accept-encoding", "gzip, deflate")
            .header("accept", media_out)
            .header("connection", "keep-alive")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-length", body.len())
            .header("content-type", media_in);
        self.app.send(request.body(body.as_bytes().to_vec()).expect("a request")).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, None, "{}").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        answer.json()
    }

    async fn post(&self, path: &str, media: &str, body: &str) -> Value {
        let answer = self.send("POST", path, Some(media), body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some(media), "{path}");
        answer.json()
    }
}

const USER: &str = "application/astra-user+json";
const BINDING: &str = "application/astra-roleBinding+json";
const CREDENTIAL: &str = "application/astra-credential+json";

claviger_tests::both! {
    async fn client_makes_a_user_lists_everything_and_ends_him(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let account = first_account(&app).await.to_string();
        let base = format!("/accounts/{account}");
        let client = Client { app: &app, base, token: token(&app, "admin").await };

        // `create user` and what it reads back
        let body = r#"{"type": "application/astra-user", "version": "1.2", "email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}"#;
        let user = client.post("core/v1/users", USER, body).await;
        assert_eq!(user["authProvider"], "local");
        let ada = user["id"].as_str().expect("an id").to_owned();
        let body = format!(r#"{{"type": "application/astra-roleBinding", "version": "1.1", "accountID": "{account}", "role": "member", "userID": "{ada}", "roleConstraints": ["*"]}}"#);
        let binding = client.post("core/v1/roleBindings", BINDING, &body).await;
        let binding = binding["id"].as_str().expect("an id").to_owned();
        let body = format!(r#"{{"type": "application/astra-credential", "version": "1.1", "keyStore": {{"cleartext": "Y29ycmVjdC1ob3JzZQ==", "change": "dHJ1ZQ=="}}, "keyType": "passwordHash", "name": "{ada}", "metadata": {{"labels": [{{"name": "astra.netapp.io/labels/read-only/credType", "value": "passwordHash"}}]}}}}"#);
        let credential = client.post("core/v1/credentials", CREDENTIAL, &body).await;
        assert_eq!(credential["metadata"]["labels"][0]["value"], "passwordHash");

        // the lists, with what its tables need of each
        let users = client.get("core/v1/users").await;
        for user in users["items"].as_array().expect("items") {
            for field in ["id", "firstName", "lastName", "email", "authProvider", "state"] {
                assert!(user[field].is_string(), "{field} of {user}");
            }
        }
        let bindings = client.get("core/v1/roleBindings").await;
        for binding in bindings["items"].as_array().expect("items") {
            assert!(binding["userID"].is_string() && binding["groupID"].is_string(), "{binding}");
        }
        let credentials = client.get("core/v1/credentials").await;
        for credential in credentials["items"].as_array().expect("items") {
            assert!(credential["metadata"]["labels"].is_array(), "{credential}");
            assert!(credential.get("keyStore").is_none(), "{credential}");
        }
        for path in [
            "core/v1/groups",
            "topology/v1/clouds",
            "k8s/v2/apps",
            "topology/v1/buckets",
            "topology/v1/storageBackends",
            "core/v1/hookSources",
            "core/v1/settings",
            "core/v1/asups",
            "core/v1/ldapUsers?filter=email+in+%27ada%27&filter=firstName+in+%27Ad+a%27&limit=2",
            "core/v1/ldapGroups?filter=cn+in+%27eng%27&filter=dn+in+%27OU%3Dx%27&limit=3",
        ] {
            let shown = client.get(path).await;
            assert!(shown["items"].as_array().is_some_and(Vec::is_empty), "{path}");
            assert!(shown["metadata"].is_object(), "{path}");
        }
        for path in [
            "core/v1/notifications?orderBy=eventTime+desc&count=true",
            "core/v1/notifications?orderBy=eventTime+desc&count=true&limit=5&skip=5",
        ] {
            assert_eq!(client.get(path).await["metadata"]["count"], 0, "{path}");
        }

        // its generic call on the token collection
        let tokens = format!("core/v1/users/{ada}/tokens");
        let mut made = Vec::new();
        for name in ["Snapshot Script", "Snapshot Taker", "other"] {
            app.clock.advance_ms(5);
            let body = format!(r#"{{"type": "application/astra-token", "version": "1.0", "name": "{name}"}}"#);
            let answer = client.send("POST", &tokens, None, &body).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
            made.push(answer.json()["id"].as_str().expect("an id").to_owned());
        }
        let page = client.get(&format!("{tokens}?include=id%2Cname&filter=name+in+%27Snapshot%27&filter=type+eq+%27application%2Fastra-token%27&orderBy=name+desc&limit=1&skip=1&count=true")).await;
        assert_eq!(page["items"], serde_json::json!([[made[0], "Snapshot Script"]]));
        assert_eq!(page["metadata"], serde_json::json!({"count": 2}));
        let first = client.get(&format!("{tokens}?limit=2")).await;
        let next = first["metadata"]["continue"].as_str().expect("a token");
        let rest = client.get(&format!("{tokens}?limit=2&continue={next}")).await;
        assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
        let one = format!("{tokens}/{}", made[0]);
        let body = r#"{"type": "application/astra-token", "version": "1.0", "name": "renamed"}"#;
        assert_eq!(client.send("PUT", &one, None, body).await.status, 204);
        assert_eq!(client.get(&one).await["name"], "renamed");
        assert_eq!(client.send("DELETE", &one, None, "{}").await.status, 204);

        // `destroy user`: his role, and he goes with it
        let path = format!("core/v1/roleBindings/{binding}");
        assert_eq!(client.send("DELETE", &path, Some(BINDING), "{}").await.status, 204);
        let users = client.get("core/v1/users").await;
        assert!(!users.to_string().contains(&ada), "{users}");
        let body = r#"{"type": "application/astra-user", "version": "1.2"}"#;
        let gone = client.send("DELETE", &format!("core/v1/users/{ada}"), Some(USER), body).await;
        assert_eq!(gone.status, 404);
    }
}

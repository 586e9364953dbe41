//! The lists of the Astra door, apart from the tokens.

use claviger_service::Settings;
use claviger_tests::app::TestApp;
use serde_json::json;

use super::{
    gate::problem,
    users::{a_user, id},
    world::{bearer, first_account},
};

const EMPTY: [&str; 12] = [
    "topology/v1/clouds",
    "topology/v1/namespaces",
    "topology/v1/buckets",
    "topology/v1/storageBackends",
    "k8s/v2/apps",
    "core/v1/groups",
    "core/v1/ldapUsers",
    "core/v1/ldapGroups",
    "core/v1/notifications",
    "core/v1/asups",
    "core/v1/hookSources",
    "core/v1/settings",
];

claviger_tests::both! {
    async fn empty_collections_keep_the_client_going(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let root = bearer(&app, "admin").await;
        let account = format!("/accounts/{}", first_account(&app).await);
        for path in EMPTY {
            let path = format!("{account}/{path}");
            let shown = root.get(&path).await;
            assert_eq!(shown.status, 200, "{path}");
            assert_eq!((&shown.json()["items"], &shown.json()["metadata"]), (&json!([]), &json!({})), "{path}");
            assert_eq!(root.get(&format!("{path}?include=id,metadata&limit=2")).await.status, 200, "{path}");
            assert_eq!(problem(&root.get(&format!("{path}?limit=0")).await), 5, "{path}");
            assert_eq!(problem(&root.get(&format!("{path}?nope=1")).await), 6, "{path}");
            assert_eq!(root.post(&path, json!({})).await.status, 405);
        }
        // as the client asks
        let asked = "core/v1/notifications?orderBy=eventTime+desc&count=true&limit=5&skip=5";
        assert_eq!(root.get(&format!("{account}/{asked}")).await.json()["metadata"], json!({"count": 0}));
        let asked = "core/v1/ldapUsers?filter=email+in+%27ada%27&filter=firstName+in+%27Ad+a%27&limit=2";
        assert_eq!(root.get(&format!("{account}/{asked}")).await.status, 200);
        let asked = "core/v1/ldapGroups?filter=cn+in+%27eng%27&filter=dn+in+%27OU%3Dx%27&limit=3";
        assert_eq!(root.get(&format!("{account}/{asked}")).await.status, 200);
        assert_eq!(problem(&root.get(&format!("{account}/core/v1/asups?count=true")).await), 6);
    }

    async fn users_are_listed_by_every_field_and_page_by_page(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let root = bearer(&app, "admin").await;
        let core = format!("/accounts/{}/core/v1", first_account(&app).await);
        let users = format!("{core}/users");
        for (email, name) in [("u1@example.com", "Zoe"), ("u2@example.com", "Adam"), ("u3@example.com", "Mia")] {
            app.clock.advance_ms(10);
            let mut body = a_user(email);
            body["firstName"] = json!(name);
            body["metadata"] = json!({"labels": [{"name": "team", "value": name}]});
            id(&root.post(&users, body).await);
        }
        let list = |query: &str| {
            let (root, path) = (&root, format!("{users}?{query}"));
            async move {
                let answer = root.get(&path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                answer.json()
            }
        };
        let page = list("include=email&orderBy=firstName&filter=lastName eq 'Doe'&count=true".replace(' ', "%20").as_str()).await;
        assert_eq!(page["items"], json!([["u2@example.com"], ["u3@example.com"], ["u1@example.com"]]));
        assert_eq!(page["metadata"]["count"], 3);
        assert_eq!((&page["type"], &page["version"]), (&json!("application/astra-users"), &json!("1.2")));
        let found = list("filter=metadata.labels[*].value+eq+%27Mia%27&include=email,firstName,companyName").await;
        assert_eq!(found["items"], json!([["u3@example.com", "Mia", null]]));
        let found = list("filter=state+eq+%27suspended%27").await;
        assert_eq!(found["items"], json!([]));
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = list(&format!("limit=1&include=email{next}")).await;
            seen.extend(page["items"].as_array().expect("items").clone());
            match page["metadata"]["continue"].as_str() {
                Some(token) => next = format!("&continue={token}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[1..], [json!(["u1@example.com"]), json!(["u2@example.com"]), json!(["u3@example.com"])]);
        // each list with each of its fields
        for (path, fields) in [
            (users.as_str(), "type,version,id,state,isEnabled,authID,authProvider,firstName,lastName,email,sendWelcomeEmail"),
            (&format!("{core}/roleBindings"), "type,version,id,principalType,userID,groupID,accountID,role"),
            (&format!("{core}/credentials"), "type,version,id,name,keyType,valid"),
            ("/accounts", "type,version,id,name,state,isEnabled"),
        ] {
            assert_eq!(root.get(&format!("{path}?include={fields},metadata&count=true")).await.status, 200);
            for field in fields.split(',') {
                for query in [format!("orderBy={field}"), format!("orderBy={field}+desc"), format!("filter={field}+gte+%27%27").replace("%27%27", "%27a%27")] {
                    let answer = root.get(&format!("{path}?{query}&limit=1")).await;
                    assert_eq!(answer.status, 200, "{path}?{query}: {}", answer.text());
                }
            }
            for field in ["metadata.createdBy", "metadata.labels[*].name", "metadata.labels[*].value"] {
                let answer = root.get(&format!("{path}?filter={field}+in+%27x%27")).await;
                assert_eq!(answer.status, 200, "{path} {field}: {}", answer.text());
            }
            let since = "filter=metadata.creationTimestamp+gt+%271999-01-01T00:00:00Z%27";
            let modified = "filter=metadata.modificationTimestamp+lt+%272999-01-01T00:00:00Z%27";
            let all = root.get(&format!("{path}?{since}&{modified}")).await.json();
            assert!(!all["items"].as_array().expect("items").is_empty(), "{path}");
        }
        let shown = root.get(&format!("{core}/credentials")).await;
        assert!(!shown.text().contains("keyStore"));
        // a token of one list opens no other
        let first = list("limit=1").await;
        let token = first["metadata"]["continue"].as_str().expect("a token");
        assert_eq!(problem(&root.get(&format!("{core}/roleBindings?continue={token}")).await), 5);
    }
}

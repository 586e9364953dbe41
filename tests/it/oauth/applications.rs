//! Applications of organisations: their secrets, and what ends with them.

use super::*;

claviger_tests::both! {
    async fn application_takes_its_tokens_and_codes_along(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let code = a_code(&owner).await;
        let token = token_in(&owner.form(AUTHORIZE_APP, &asked("token", REGISTERED, "user:admin")).await);
        let (mine, seeded) = (
            Visitor::bearer(&app, &token),
            Visitor::bearer(&app, &secrets.ours("tdevuadminxxxxxxxxxxSnimdauved9999999999")),
        );
        let list = "/api/v1/user/apptoken";
        assert_eq!(mine.get(list).await.status, 200);
        assert_eq!(seeded.get(list).await.status, 200);
        let path = format!("{APPLICATIONS}/deadbeef");
        let stranger = Visitor::sign_in(&app, "reader", "password").await;
        assert_eq!(stranger.delete(&path).await.status, 403);
        assert_eq!(owner.delete(&path).await.status, 204);
        assert_eq!(mine.get(list).await.status, 401, "at once");
        assert_eq!(seeded.get(list).await.status, 401);
        let answer = Visitor::anonymous(&app).form("/oauth/access_token", &exchange(&code, &[])).await;
        assert_eq!(answer.text(), r#"{"error":"invalid_client"}"#);
        assert_eq!(owner.delete(&path).await.status, 404);
    }

    async fn secret_of_an_application_is_replaced_and_shown_to_its_owners_alone(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let (client_id, first) =
            made(&owner, json!({"name": "", "redirect_uri": REGISTERED})).await;
        assert!(client_id.len() == 20 && first.len() == 40);
        let path = format!("{APPLICATIONS}/{client_id}");
        let shown = owner.get(&path).await;
        assert_eq!(shown.json()["client_secret"], json!(first));
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        let reset = owner.post(&format!("{path}/resetclientsecret"), json!({})).await.json();
        let second = reset["client_secret"].as_str().expect("a secret").to_owned();
        assert_ne!(first, second);

        let ask = asked("code", REGISTERED, "user:read").replace("deadbeef", &client_id);
        let code = code_in(&owner.form(AUTHORIZE_APP, &ask).await);
        let nobody = Visitor::anonymous(&app);
        let with = |secret: &str| exchange(&code, &[("client_id", &client_id), ("client_secret", secret)]);
        let old = nobody.form("/oauth/access_token", &with(&first)).await;
        assert_eq!(old.text(), r#"{"error":"invalid_client"}"#);
        let basic = Visitor::basic(&app, &client_id, &second);
        let new = basic.form("/oauth/access_token", &with("")).await;
        assert_eq!(new.status, 200, "{}", new.text());

        let stranger = Visitor::sign_in(&app, "reader", "password").await;
        for visitor in [&stranger, &nobody] {
            let public = visitor.get(&format!("/api/v1/app/{client_id}")).await;
            assert!(!public.text().contains("secret"));
            assert!(visitor.get(&path).await.status.is_client_error());
        }
        let leaks = app.db.read(move |q: &mut dyn Query| {
            let stmt = Stmt::same("SELECT after, object_name, before FROM audit ORDER BY seq");
            let rows = q.all(&stmt, &[])?;
            let holds = |row: &claviger_store::Row| format!("{row:?}").contains(&second);
            Ok(rows.iter().any(holds))
        });
        assert!(!leaks.await.expect("an answer"));
    }

    async fn token_made_with_a_token_gives_no_more_and_ends_with_it(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let path = format!("{APPLICATIONS}/deadbeef/tokens");
        let new = |scope: &str| json!({"name": "t", "scope": scope, "expiration": 60});
        let parent = owner.post(&path, new("org:admin,repo:write,user:admin")).await.json();
        let parent_token = parent["token"].as_str().expect("a token");
        let bearer = Visitor::bearer(&app, parent_token);

        for scope in ["repo:admin", "super:user", "org:admin repo:create"] {
            let refused = bearer.post(&path, new(scope)).await;
            assert_eq!(refused.status, 400, "{scope}");
        }
        let body = json!({"name": "child", "scope": "user:admin repo:read", "expiration": 600});
        let child = bearer.post(&path, body).await.json();
        assert_eq!(child["scope"], "repo:read user:admin");
        assert_eq!(child["expires_at"], parent["expires_at"], "it ends with its parent");
        let child = Visitor::bearer(&app, child["token"].as_str().expect("a token"));
        assert_eq!(child.get("/api/v1/user/apptoken").await.status, 200);

        let uuid = parent["uuid"].as_str().expect("an id");
        assert_eq!(owner.delete(&format!("{path}/{uuid}")).await.status, 204);
        assert_eq!(child.get("/api/v1/user/apptoken").await.status, 401);
        assert_eq!(owner.delete(&format!("{path}/{uuid}")).await.status, 404);
        for bad in [json!(0), json!(-1), json!(315_576_001), json!(i64::MAX)] {
            let body = json!({"name": "t", "scope": "repo:read", "expiration": bad});
            assert_eq!(owner.post(&path, body).await.status, 400, "{bad}");
        }
    }

    async fn secret_of_an_application_is_shown_once_where_nothing_is_revealed(engine: Engine) {
        for (reveal, bearer_sees, session_sees) in [
            (Reveal::All, true, true),
            (Reveal::Fresh, false, true),
            (Reveal::None, false, false),
        ] {
            let mut settings = test_settings();
            settings.tokens.reveal = reveal;
            let (app, _) = TestApp::seeded(engine, settings).await;
            let owner = Visitor::sign_in(&app, "devtable", "password").await;
            let (client_id, secret) = made(&owner, json!({"name": "x"})).await;
            let path = format!("{APPLICATIONS}/{client_id}");
            let token = owner.form(AUTHORIZE_APP, &asked("token", REGISTERED, "org:admin")).await;
            let token = token_in(&token);
            let bearer = Visitor::bearer(&app, &token);
            for (visitor, sees) in [(&owner, session_sees), (&bearer, bearer_sees)] {
                let view = visitor.get(&path).await.json();
                let shown = view.get("client_secret") == Some(&json!(secret));
                assert_eq!((shown, view["name"].as_str()), (sees, Some("x")), "{reveal:?}");
            }
            app.clock.advance_ms(600_001);
            let stale = owner.get(&path).await.json();
            assert_eq!(stale.get("client_secret").is_some(), reveal == Reveal::All, "{reveal:?}");
        }
    }
}

//! Faulty configurations, each with its place; precedence; and that the example names every key.

use super::*;

fn sources(text: &str, variables: &[(&str, &str)]) -> Sources {
    let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Sources { file: Some(("t.toml".into(), text.into())), environment, ..Sources::default() }
}

fn faults_in(sources: &Sources) -> Vec<String> {
    match Config::read(sources) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(ToString::to_string).collect(),
    }
}

/// Each text, and for every fault in order its place and a part of its message.
const FAULTY: &[(&str, &[(&str, &str)])] = &[
    ("[server]\nlistne = \"x\"", &[("2:1", "unknown key \"listne\"; did you mean \"listen\"?")]),
    ("listen = \"x\"", &[("1:1", "it belongs in [metrics] or [server]")]),
    ("[servr]\n", &[("1:2", "did you mean \"server\"?")]),
    ("[server]\nlisten = 8080", &[("2:10", "listen: expected an address and port such as 127.0.0.1:8080, found an integer")]),
    ("[server]\nlisten = \"here\"", &[("2:10", "listen: expected an address and port")]),
    ("[server]\nmax_body_bytes = -1", &[("2:18", "expected a whole number, 0 or more, found -1")]),
    ("[server]\nmax_body_bytes = 1", &[("2:18", "must lie between 1024 and")]),
    ("[server]\nbody_timeout_seconds = \"30s\"", &[("2:24", "expected a number, found a string")]),
    ("[server]\nheader_timeout_seconds = nan", &[("2:26", "expected a number")]),
    ("[server]\ntls = { cert = \"c.pem\" }", &[("2:7", "tls.key is missing")]),
    ("[server]\ntls = true", &[("2:7", "tls must be a table, found boolean")]),
    ("[server]\ntrusted_proxies = [\"10.0.0.0/40\"]", &[("2:19", "expected an address or a range such as 10.0.0.0/8")]),
    ("[server]\npublic_url = \"example.com\"", &[("2:14", "expected a URL such as")]),
    ("server = 3", &[("1:10", "server must be a table, found integer")]),
    ("[store]\ndatabase = \"postgres://h/d\"", &[("2:12", "PostgreSQL is not in this version; use \"sqlite\"")]),
    ("[store]\nlimits = \"redis://h\"", &[("2:10", "not in this version; use \"memory\"")]),
    ("[limits]\nwindow_seconds = 0", &[("2:18", "must lie between 0.001 and")]),
    ("[limits]\nwhen_store_lost = \"panic\"", &[("2:19", "expected \"strict\" or \"safe_share\"")]),
    ("[errors]\nrate_limit_body = \"xml\"", &[("2:19", "expected \"text\" or \"openai\"")]),
    ("[log]\nfilter = \"a=b=c\"", &[("2:10", "expected directives such as")]),
    ("[signup]\nmode = \"everybody\"", &[("2:8", "unknown choice \"everybody\"")]),
    ("[billing]\nprovider = \"paypal\"", &[("2:12", "unknown choice \"paypal\"")]),
    ("[email]\nsmtp = \"x\"", &[("2:1", "unknown key \"smtp\"; known here: from, host,")]),
    ("[otel]\nendpoint = \"x\"", &[("2:1", "[otel] has no keys in this version")]),
    ("[oidc]\nissuer = \"x\"", &[("1:1", "[oidc] needs client_secret"), ("1:1", "client_id is missing"), ("2:10", "issuer: ")]),
    ("[oidc]\nclient = \"x\"", &[("2:1", "unknown key \"client\"; did you mean")]),
    ("[retention]\nrecords_days = 1", &[("2:16", "records_days: ")]),
    ("[retention]\nminutes_days = 500", &[("1:1", "hours_days (400) must not be less than minutes_days (500)")]),
    ("[[providers]]\n", &[("1:1", "kind is missing"), ("1:1", "name is missing")]),
    ("[[providers]]\nname = \"a\"\nkind = \"anthropic\"", &[("3:8", "\"anthropic\" is not in this version")]),
    ("[[providers]]\nname = \"a\"\nkind = \"opnai\"", &[("3:8", "unknown kind \"opnai\"; the kinds are")]),
    ("[[providers]]\nname = \"a\"\nkind = \"llama_cpp\"", &[("1:1", "base_url is missing")]),
    (
        "[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://169.254.169.254/\"",
        &[("4:12", "link-local address, which is never called")],
    ),
    (
        "[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"k\"\napi_key_env = \"K\"",
        &[("5:15", "give exactly one of api_key, api_key_env, api_key_file")],
    ),
    ("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key_env = \"NOT_SET\"", &[("4:15", "environment variable NOT_SET is not set")]),
    ("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key_file = \"/no/such\"", &[("4:16", "can't read /no/such")]),
    (
        "[[providers]]\nname = \"a\"\nkind = \"openai\"\nheaders = { authorization = \"x\", \"b c\" = \"y\" }",
        &[("4:29", "is a credential"), ("4:42", "is not a header's name")],
    ),
    (
        "[[providers]]\nname = \"a\"\nkind = \"ollama\"\n[[providers]]\nname = \"a\"\nkind = \"ollama\"",
        &[("5:8", "provider \"a\" is defined twice")],
    ),
    ("[[providers]]\nname = \"a/b\"\nkind = \"ollama\"", &[("2:8", "can't hold a slash")]),
    ("[[models]]\nid = \"m\"", &[("2:6", "give category or parameters_b")]),
    ("[[models]]\nid = \"m\"\ncategory = \"huge\"", &[("3:12", "expected one of \"small\", \"medium\", \"large\"")]),
    ("[[models]]\nid = \"m\"\nparameters_b = 0", &[("3:16", "expected billions of parameters")]),
    ("[[models]]\nid = \"\"\ncategory = \"small\"", &[("2:6", "use 1 to 200 printable characters")]),
    ("[[models]]\nid = \"m\"\ncategory = \"small\"\ninput_price = \"free\"", &[("4:15", "expected a decimal amount")]),
    (
        "[[models]]\nid = \"m\"\ncategory = \"small\"\ntargets = [{ provider = \"nobody\", weight = 0 }]",
        &[("4:25", "add [[providers]] with name = \"nobody\""), ("4:44", "weight: must be 1 or more")],
    ),
    (
        "[[models]]\nid = \"m\"\ncategory = \"small\"\nfeatures = [\"telepathy\"]\ntargets = [{ provider = \"demo\", rpm = 0 }]",
        &[("4:12", "unknown choice \"telepathy\""), ("5:39", "rpm: must lie between 1 and")],
    ),
    (
        "[[models]]\nid = \"m\"\ncategory = \"small\"\naliases = [\"n\"]\n[[models]]\nid = \"n\"\ncategory = \"small\"",
        &[("6:6", "model name \"n\" is defined twice")],
    ),
    (
        "[[models]]\nid = \"mine\"\naliases = [\"mistral-7b\"]\ncategory = \"small\"",
        &[("3:11", "already names the built-in model \"mistral-7b\"")],
    ),
    ("[[plans]]\nid = \"p\"\nlimits = [{ category = \"small\", model = \"m\" }]", &[("3:11", "names exactly one of")]),
    ("[[plans]]\nid = \"p\"\nlimits = [{ rpm = 1 }]", &[("3:11", "names exactly one of")]),
    ("[[plans]]\nid = \"p\"\nlimits = [{ any = false }]", &[("3:19", "leave the row out")]),
    ("[[plans]]\nid = \"p\"\nlimits = [{ any = true, rpmm = 1 }]", &[("3:25", "did you mean \"rpm\"?")]),
    ("[[plans]]\nid = \"p\"\nlimits = [{ any = true, rpm = \"many\" }]", &[("3:31", "rpm: expected a whole number")]),
    ("[[plans]]\nid = \"p\"\nlimits = [{ any = true, window_seconds = 0 }]", &[("3:11", "window_seconds = 0 must lie between")]),
    ("[[plans]]\nid = \"p\"\nlimits = [{ model = \"mistral:7b\" }]", &[("3:11", "rows name ids, not aliases: \"mistral-7b\"")]),
    (
        "[[plans]]\nid = \"p\"\nlimits = [{ any = true, rpm = 1 }, { any = true, tpm = 1 }]",
        &[("3:36", "two limit rows for any: put their numbers into one row")],
    ),
    ("[spend]\nper_day = \"-1\"", &[("2:11", "per_day: an amount can't be negative")]),
    ("[spend]\nper_day = \"lots\"", &[("2:11", "per_day: expected a decimal amount")]),
    ("[spend]\nperday = 1", &[("2:1", "did you mean \"per_day\"?")]),
    ("[[plans]]\nid = \"p\"\nspend_per_day = true", &[("3:17", "spend_per_day: expected an amount")]),
    ("[[plans]]\nid = \"p\"\non_exhausted = \"stop\"", &[("3:16", "unknown choice \"stop\"")]),
    ("plans = [1]", &[("1:10", "plans must hold tables, found integer")]),
    ("[server]\nlisten = \n[limits]\nwindow_secs = 1", &[("2:10", "not TOML"), ("4:1", "did you mean \"window_seconds\"?")]),
];

#[test]
fn each_fault_has_its_line_and_says_what_to_do() {
    let mut wrong = Vec::new();
    for (text, expected) in FAULTY {
        let found = faults_in(&sources(text, &[]));
        let is_as_expected =
            |(fault, (place, part)): (&String, &(&str, &str))| fault.starts_with(&format!("t.toml:{place}: ")) && fault.contains(part);
        if found.len() != expected.len() || !found.iter().zip(*expected).all(is_as_expected) {
            wrong.push((*text, found, *expected));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn all_faults_are_found_at_once() {
    let mut text = String::new();
    let mut expected = 0;
    let tables_of_arrays = FAULTY.iter().filter(|(t, _)| t.starts_with("[[") && !t.contains("id = \"p\"") && !t.contains("name = \"a\""));
    for (faulty, faults) in tables_of_arrays.filter(|(t, _)| !t.contains("\"m\"")) {
        text.push_str(faulty);
        text.push('\n');
        expected += faults.len();
    }
    assert!(expected >= 3);
    let text = format!("[server]\nlisten = 1\nidle = 2\n[store]\ndatabase = \"x\"\n{text}");
    assert_eq!(faults_in(&sources(&text, &[])).len(), expected + 3);
}

#[test]
fn an_unknown_or_faulty_variable_is_a_fault() {
    for (name, value, part) in [
        (
            "TIDEGATE_SERVER__LISTNE",
            "x",
            "environment variable TIDEGATE_SERVER__LISTNE: sets no known key; did you mean TIDEGATE_SERVER__LISTEN?",
        ),
        ("TIDEGATE_NONSENSE__X", "x", "sets no known key"),
        ("TIDEGATE_SERVER__LISTEN", "x", "environment variable TIDEGATE_SERVER__LISTEN: listen: expected an address and port"),
        ("TIDEGATE_LIMITS__WINDOW_SECONDS", "abc", "window_seconds: expected a number"),
        ("TIDEGATE_PROVIDERS__NAME", "x", "sets no known key"),
    ] {
        let found = faults_in(&sources("", &[(name, value)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(part), "{found:?}");
    }
    let passed_over = [("TIDEGATE_OPERATOR_TOKEN", "t"), ("TIDEGATE_URL", "u"), ("TIDEGATE_SERVER__LISTEN", ""), ("OTHER__X", "1")];
    assert_eq!(faults_in(&sources("", &passed_over)), [""; 0]);
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let read = |sources: &Sources| Config::read(sources).unwrap();
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nmax_body_bytes = 5000\n[limits]\nwindow_seconds = 5";
    let variables = [
        ("TIDEGATE_SERVER__LISTEN", "127.0.0.1:2"),
        ("TIDEGATE_LIMITS__WINDOW_SECONDS", "1.5"),
        ("TIDEGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("TIDEGATE_SERVER__TLS__CERT", "c"),
        ("TIDEGATE_SERVER__TLS__KEY", "k"),
        ("TIDEGATE_DISCOVERY__LOCAL", "false"),
    ];
    let mut given = sources(file, &[]);
    assert_eq!(read(&given).server.listen.port(), 1);
    given = sources(file, &variables);
    let config = read(&given);
    assert_eq!((config.server.listen.port(), config.limits.window_us(), config.server.max_body_bytes), (2, 1_500_000, 5_000));
    assert_eq!((config.server.trusted_proxies.len(), config.discovery.local), (2, false));
    assert_eq!(config.server.tls, Some(TlsFiles { cert: "c".into(), key: "k".into() }));
    given.listen = Some("127.0.0.1:3".parse().unwrap());
    given.data_dir = Some("elsewhere".into());
    let config = read(&given);
    assert_eq!((config.server.listen.port(), config.server.data_dir), (3, PathBuf::from("elsewhere")));
    assert_eq!(read(&Sources::default()).server.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn waits_and_pauses_are_read_with_their_defaults() {
    let of = |text: &str| {
        let limits = Config::from_toml(text).unwrap().limits;
        (limits.micro_wait.as_millis(), limits.max_wait.as_millis(), limits.max_pause.as_millis())
    };
    assert_eq!(of(""), (250, 30_000, 300_000));
    assert_eq!(of("[limits]\nmicro_wait_ms = 0\nmax_wait_seconds = 1.5\nmax_pause_seconds = 7"), (0, 1_500, 7_000));
    assert!(Config::from_toml("[limits]\nmicro_wait_ms = -1").is_err() && Config::from_toml("[limits]\nmax_wait_seconds = 601").is_err());
    let plan = &Config::from_toml("[[plans]]\nid = \"p\"\nhold = \"fixed\"\non_exhausted = \"cut\"").unwrap().plans[0];
    assert_eq!((plan.hold, plan.on_exhausted), (domain::HoldPolicy::Fixed, domain::OnExhausted::Cut));
}

#[test]
fn what_has_no_effect_yet_is_named_in_a_warning() {
    let text = "[signup]\nmode = \"open\"\nplan = \"free\"\n[otel]\n";
    let config = Config::from_toml(text).unwrap();
    let lines: Vec<_> = config.warnings.iter().map(|w| w.place.to_string().replace("configuration:", "")).collect();
    assert_eq!(lines, ["4:1"]);
    assert!(config.warnings.iter().all(|w| w.message.contains("has no effect in this version")));
    let silent =
        "[signup]\nmode = \"invite\"\norgs_per_person = 3\n[billing]\nprovider = \"manual\"\n[[plans]]\nid = \"p\"\nhold = \"learned\"";
    assert_eq!(Config::from_toml(silent).unwrap().warnings, []);
}

#[test]
fn who_may_sign_up_is_configured() {
    let read = |text: &str| Config::from_toml(text).unwrap().sign_up;
    let default = read("");
    assert_eq!((default.mode, default.plan.as_str(), default.orgs_per_person), (control::SignUpMode::Invite, "free", 3));
    let given = read("[signup]\nmode = \"open\"\nplan = \"starter\"\norgs_per_person = 1");
    assert_eq!((given.mode, given.plan.as_str(), given.orgs_per_person), (control::SignUpMode::Open, "starter", 1));
    assert_eq!(read("[signup]\nmode = \"closed\"").mode, control::SignUpMode::Closed);
    assert!(Config::from_toml("[signup]\norgs_per_person = 0").is_err());
    let total = |text: &str| Config::from_toml(text).map(|config| (config.total_tpm, config.warnings.len()));
    assert_eq!(total(""), Ok((None, 0)));
    assert_eq!(total("[signup]\ntotal_tpm = 2_000_000"), Ok((Some(2_000_000), 0)));
    assert!(total("[signup]\ntotal_tpm = 0").is_err());
    let sold = "[signup]\ntotal_tpm = 9\nplan = \"p\"\n[[plans]]\nid = \"p\"\nprice_month = \"5\"";
    assert_eq!(total(sold), Ok((Some(9), 1)), "whoever pays would be bounded too");
    let environment = [("TIDEGATE_SIGNUP__TOTAL_TPM".to_owned(), "7".to_owned())].into();
    let set = Config::read(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(set.total_tpm, Some(7));
}

#[test]
fn how_plans_are_paid_is_configured() {
    let billing = |text: &str| Config::from_toml(text).unwrap().billing;
    assert!(matches!(billing(""), Billing::Manual));
    assert!(matches!(billing("[billing]\nprovider = \"test\""), Billing::Test));
    let stripe = "[billing]\nprovider = \"stripe\"\nstripe = { secret_key = \"sk_very-secret\", webhook_secret = \"whsec_very-secret\" }";
    let read = billing(stripe);
    assert!(!format!("{read:?}").contains("very-secret"), "{read:?}");
    let Billing::Stripe { api_base, currency, .. } = read else { panic!("{read:?}") };
    assert_eq!((api_base.to_string().as_str(), currency.as_str()), ("https://api.stripe.com/", "usd"));
    let faults = |text: &str, environment: &[(&str, &str)]| faults_in(&sources(text, environment)).join("\n");
    let none = faults("[billing]\nprovider = \"stripe\"", &[]);
    assert!(none.contains("needs secret_key") && none.contains("needs webhook_secret"), "{none}");
    let other = stripe.replace("secret_key = \"sk_very-secret\"", "secret_key_env = \"STRIPE\", currency = \"jpy\"");
    let said = faults(&other, &[]);
    assert!(said.contains("STRIPE is not set") && said.contains("no hundredths") && !said.contains("very-secret"), "{said}");
    let read = Config::read(&sources(&other.replace("jpy", "eur"), &[("STRIPE", "sk_very-secret")])).unwrap().billing;
    assert!(matches!(read, Billing::Stripe { currency, .. } if currency == "eur"));
    assert!(faults(&stripe.replace("webhook_secret =", "secret_key_env = \"A\", webhook_secret ="), &[("A", "b")]).contains("exactly one"));
}

#[test]
fn the_provider_of_identities_is_configured() {
    let read = |text: &str, environment: &[(&str, &str)]| Config::read(&sources(text, environment));
    let faults = |text: &str, environment: &[(&str, &str)]| faults_in(&sources(text, environment)).join("\n");
    assert!(read("[oidc]\nname = \"x\"", &[]).unwrap().oidc.is_none(), "nobody is named");
    let given = "[oidc]\nissuer = \"https://id.example.com/realm/\"\nclient_id = \"tide\"\nclient_secret = \"very-secret\"\n";
    let config = read(given, &[]).unwrap();
    assert!(!format!("{config:?}").contains("very-secret"));
    let oidc = config.oidc.unwrap();
    assert_eq!((oidc.issuer.as_str(), oidc.client_id.as_str()), ("https://id.example.com/realm/", "tide"), "to the letter");
    assert_eq!((oidc.scopes.as_str(), oidc.name.as_str(), oidc.allowed_domains.len()), ("openid email profile", "single sign-on", 0));
    let more = format!("{given}scopes = \"openid  email\"\nname = \" Acme \"\nallowed_domains = [\"Example.com\", \"x.org\"]");
    let oidc = read(&more, &[]).unwrap().oidc.unwrap();
    assert_eq!(
        (oidc.scopes.as_str(), oidc.name.as_str(), oidc.allowed_domains.join(" ")),
        ("openid email", "Acme", "example.com x.org".into())
    );

    let variables = [
        ("TIDEGATE_OIDC__ISSUER", "http://127.0.0.1:9/"),
        ("TIDEGATE_OIDC__CLIENT_ID", "tide"),
        ("TIDEGATE_OIDC__CLIENT_SECRET", "very-secret"),
        ("TIDEGATE_OIDC__ALLOWED_DOMAINS", "a.org, b.org"),
    ];
    assert_eq!(read("", &variables).unwrap().oidc.unwrap().allowed_domains, ["a.org", "b.org"]);
    let alone = faults("", &[("TIDEGATE_OIDC__CLIENT_SECRET", "very-secret")]);
    assert!(alone.contains("issuer is missing") && alone.contains("client_id is missing") && !alone.contains("very-secret"), "{alone}");
    let by_name = given.replace("client_secret = \"very-secret\"", "client_secret_env = \"MINE\"");
    assert!(read(&by_name, &[("MINE", "very-secret")]).unwrap().oidc.is_some() && faults(&by_name, &[]).contains("MINE is not set"));

    for (key, value, part) in [
        ("issuer", "\"http://id.example.com\"", "expected an address with https"),
        ("issuer", "\"https://169.254.169.254\"", "link-local"),
        ("issuer", "\"https://id.example.com/?x=1\"", "issuer: expected"),
        ("client_id", "\"\"", "client_id: expected"),
        ("client_secret", "\"\"", "must not be empty"),
    ] {
        let lines: Vec<_> =
            given.lines().map(|line| if line.starts_with(&format!("{key} ")) { format!("{key} = {value}") } else { line.into() }).collect();
        let said = faults(&lines.join("\n"), &[]);
        assert!(said.contains(part) && !said.contains("very-secret") && said.lines().count() == 1, "{key} = {value}: {said}");
    }
    for (line, part) in [
        ("scopes = \"email\"", "openid must be among them"),
        ("name = \"\"", "name: expected 1 to 60"),
        ("allowed_domains = [\"@example.com\"]", "is no domain"),
        ("client_secret_file = \"/no/such\"", "give exactly one of"),
    ] {
        assert!(faults(&format!("{given}{line}"), &[]).contains(part), "{line}: {}", faults(&format!("{given}{line}"), &[]));
    }
    let beyond = |server: &str| faults(&format!("[server]\nlisten = \"0.0.0.0:80\"\n{server}\n{given}"), &[]);
    assert_eq!(beyond("public_url = \"https://tide.example.com\""), "");
    assert!(beyond("").starts_with("t.toml:4:1: [oidc] needs public_url in [server]"), "{}", beyond(""));
}

#[test]
fn secrets_are_in_no_debug_text_and_no_fault() {
    let text = "[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"sk-very-secret\"";
    assert!(!format!("{:?}", Config::from_toml(text).unwrap()).contains("very-secret"));
    for broken in
        [text.replace("openai", "opnai"), text.replace("\"sk-very-secret\"", "sk-very-secret"), format!("{text}\napi_key_env = \"K\"")]
    {
        let faults = faults_in(&sources(&broken, &[]));
        assert!(!faults.is_empty() && !faults.join("\n").contains("very-secret"), "{faults:?}");
    }
    let found = faults_in(&sources("", &[("TIDEGATE_BILLING__STRIPE__SECRET_KEYS", "sk-very-secret")]));
    assert!(!found.is_empty() && !found.join("\n").contains("very-secret"), "{found:?}");
}

#[test]
fn ceilings_on_spend_are_amounts() {
    let text = "[spend]\nper_day = \"100.00\"\n[[providers]]\nname = \"a\"\nkind = \"openai\"\nspend_per_day = 2.5\n\
                [[plans]]\nid = \"p\"\nspend_per_day = 0";
    let config = Config::from_toml(text).unwrap();
    let amount = |text: &str| Some(text.parse::<domain::Money>().unwrap());
    assert_eq!(
        (config.spend.per_day, config.providers[0].provider.spend_per_day, config.plans[0].spend_per_day),
        (amount("100"), amount("2.5"), amount("0"))
    );
    let given = Config::read(&sources("", &[("TIDEGATE_SPEND__PER_DAY", "7.25")])).unwrap();
    assert_eq!(given.spend.per_day, amount("7.25"));
}

#[test]
fn mail_goes_through_a_server_that_is_named_and_no_password_in_the_clear() {
    let read = |lines: &str| Config::from_toml(&format!("[email]\n{lines}"));
    assert!(Config::from_toml("").unwrap().email.is_none());
    assert!(read("from = \"a@example.com\"").unwrap().email.is_none(), "no server is named");
    let from = "from = \"Tide <tide@example.com>\"";
    let email = read(&format!("host = \"mx\"\n{from}")).unwrap().email.unwrap();
    assert_eq!((email.port, email.security, email.from.to_string().as_str()), (587, Security::Starttls, "Tide <tide@example.com>"));
    assert_eq!(read(&format!("host = \"mx\"\n{from}\nsecurity = \"tls\"")).unwrap().email.unwrap().port, 465);
    for wrong in [
        "host = \"mx\"",
        "host = \"mx\"\nfrom = \"nobody\"",
        "host = \"mx\"\nfrom = \"a@b.c\"\nuser = \"u\"",
        "host = \"mx\"\nfrom = \"a@b.c\"\nuser = \"u\"\npassword = \"p\"\nsecurity = \"none\"",
        "host = \"mx\"\nfrom = \"a@b.c\"\nuser = \"u\"\npassword_file = \"/no/such/file\"",
        "host = \"mx\"\nfrom = \"a@b.c\"\nport = 0",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_a_quota_holds_is_chosen_by_provider() {
    let read = |line: &str| Config::from_toml(&format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\n{line}"));
    let hold = |line: &str| read(line).unwrap().providers[0].provider.quota_hold;
    assert_eq!(hold(""), domain::QuotaHold::MaxTokens);
    assert_eq!(hold("quota_hold = \"learned\""), domain::QuotaHold::Learned);
    assert!(read("quota_hold = \"fixed\"").is_err());
}

#[test]
fn credentials_come_from_one_of_three_places() {
    use secrecy::ExposeSecret;
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("key"), dir.path().join("other"));
    std::fs::write(&path, "from-file\n").unwrap();
    std::fs::write(&other, " from-another\n").unwrap();
    let read = |line: &str| {
        let variables = [("MY_KEY", "from-env"), ("MY_OTHER", " also-from-env ")];
        Config::read(&sources(&format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\n{line}"), &variables)).unwrap()
    };
    for (line, expected) in [
        ("api_key = \"inline\"".to_owned(), &["inline"][..]),
        ("api_key = [\"one\", \"two\"]".to_owned(), &["one", "two"]),
        ("api_key_env = \"MY_KEY\"".to_owned(), &["from-env"]),
        ("api_key_env = [\"MY_OTHER\", \"MY_KEY\"]".to_owned(), &["also-from-env", "from-env"]),
        (format!("api_key_file = {path:?}"), &["from-file"]),
        (format!("api_key_file = [{path:?}, {other:?}]"), &["from-file", "from-another"]),
        (String::new(), &[]),
    ] {
        let config = read(&line);
        let found: Vec<_> = config.providers[0].credentials.iter().map(|c| c.secret.expose_secret()).collect();
        assert_eq!(found, expected, "{line}");
    }
    let kinds = read("api_key_env = [\"MY_OTHER\", \"MY_KEY\"]").providers.remove(0).credentials;
    assert_eq!(kinds[1].found, ::store::CredentialKind::Env("MY_KEY".into()));
}

#[test]
fn lists_of_credentials_are_checked_whole() {
    let faults = |line: &str| {
        let variables = [("MY_KEY", "sk-very-secret"), ("SAME", "sk-very-secret")];
        let faults = faults_in(&sources(&format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\n{line}"), &variables)).join("\n");
        assert!(!faults.contains("very-secret"), "{faults}");
        faults
    };
    for (line, part) in [
        ("api_key = []", "the list is empty"),
        ("api_key = [\"sk-very-secret\", \"\"]", "must not be empty"),
        ("api_key = [\"sk-very-secret\", 5]", "expected a string, found an integer"),
        ("api_key = [\"sk-very-secret\", \"sk-very-secret\"]", "the same key is there twice, the second time in api_key"),
        ("api_key_env = [\"MY_KEY\", \"SAME\"]", "the second time in environment variable SAME"),
        ("api_key_env = [\"MY_KEY\"]\napi_key = [\"x\"]", "give exactly one of"),
        ("api_key_file = [\"/no/such\"]", "can't read /no/such"),
    ] {
        let told = faults(line);
        assert!(told.contains(part), "{line}: {told}");
    }
    let two = faults("api_key_env = [\"NOT_SET\", \"NOR_THIS\"]");
    assert!(two.contains("NOT_SET is not set") && two.contains("NOR_THIS is not set"), "{two}");
    let many: Vec<_> = (0..33).map(|n| format!("\"k{n}\"")).collect();
    assert!(faults(&format!("api_key = [{}]", many.join(","))).contains("33 keys are more than the 32"));
}

#[test]
fn an_entry_may_refer_to_what_is_built_in_or_found() {
    let text = "[[models]]\nid = \"m\"\ncategory = \"small\"\ntargets = [{ provider = \"openai\" }, { provider = \"demo\" }]\n\
                [[plans]]\nid = \"p\"\nlimits = [{ model = \"qwen-3-coder-next\", rpm = 1 }]";
    assert_eq!(faults_in(&sources(text, &[("OPENAI_API_KEY", "k")])), [""; 0]);
    assert_eq!(faults_in(&sources(text, &[])).len(), 1);
    let configured = format!("{text}\n[[providers]]\nname = \"own\"\nkind = \"ollama\"");
    let mut given = sources(&configured, &[("OPENAI_API_KEY", "k")]);
    assert_eq!(faults_in(&given).len(), 2, "neither the environment's providers nor the demo are there beside configured ones");
    given.demo = true;
    assert_eq!(faults_in(&given).len(), 1);
}

#[test]
fn a_target_says_what_it_can_do_and_how_much() {
    let text = "[[models]]\nid = \"m\"\ncategory = \"small\"\nfeatures = [\"tools\"]\ntargets = [{ provider = \"demo\", context_window = 8_192, \
                features = [\"vision\", \"tools\"], rpm = 5, tpm = 6, concurrent = 7 }]";
    let mut given = sources(text, &[]);
    given.demo = true;
    let model = Config::read(&given).unwrap().models.remove(0);
    let target = &model.targets[0];
    assert_eq!(model.features.unwrap().to_string(), "tools");
    assert_eq!(target.features.unwrap().to_string(), "tools, vision");
    assert_eq!((target.context_window, target.rpm, target.tpm, target.concurrent), (Some(8_192), Some(5), Some(6), Some(7)));
}

const EXAMPLE: &str = include_str!("../../../../tidegate.example.toml");

/// The example with every commented key in force: lines that begin with `# ` and go on like TOML.
fn example_in_full() -> String {
    let uncommented = EXAMPLE.lines().map(|line| {
        let trimmed = line.trim_start();
        let code = trimmed.strip_prefix("# ").unwrap_or(trimmed);
        let is_toml = code.starts_with("[[") || code.starts_with(['{', ']']) || code.trim_start().starts_with('{');
        let is_pair = code.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        if is_toml || is_pair { code.to_owned() } else { line.to_owned() }
    });
    uncommented.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_fine_and_changes_nothing() {
    let example = Config::from_toml(EXAMPLE).unwrap();
    let defaults = Config::from_toml("").unwrap();
    assert_eq!(example.warnings, []);
    let sections = |c: &Config| {
        format!("{:?}", (&c.server, &c.limits, &c.spend, &c.errors, &c.metrics, &c.log, &c.discovery, &c.providers, &c.models))
    };
    assert_eq!(sections(&example), sections(&defaults));
    assert_eq!(example.plans, seed::seed().unwrap().plans);
}

#[test]
fn the_example_names_every_key() {
    let (config, known) = read(&sources(&example_in_full(), &[]), None);
    let faults = config.err().map(|f| f.to_string()).unwrap_or_default();
    assert!(!faults.contains("not TOML") && !faults.contains("unknown"), "{faults}");
    for key in known {
        let last = key.rsplit('.').next().unwrap_or(&key).trim_end_matches("[]");
        let is_named = EXAMPLE.lines().any(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|word| word == last));
        assert!(is_named, "tidegate.example.toml does not name {key}");
    }
}

#[test]
fn the_example_carries_frees_other_row_as_a_comment() {
    let row = "{ any = true, rpm = 50, tpm = 300_000 },";
    assert!(EXAMPLE.contains(&format!("    # {row}")));
    let with_it = EXAMPLE.replace(&format!("# {row}"), row);
    let free = Config::from_toml(&with_it).unwrap().plans.remove(0);
    assert_eq!((free.id.as_str(), free.limits.len()), ("free", 2));
}

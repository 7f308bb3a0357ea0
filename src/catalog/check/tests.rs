//! One mistake at a time in a sound offering, and the sentence it gives.

use super::super::Revision;
use super::super::testing::{QUEUE, registry};

/// The problems of the sound offering with `from` replaced by `to`, without file and position.
fn problems(from: &str, to: &str) -> Vec<String> {
    assert!(QUEUE.contains(from), "{from}");
    match Revision::parse("q.yaml", &QUEUE.replacen(from, to, 1), &registry()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(|p| format!("{}: {}", p.path, p.message)).collect(),
    }
}

#[track_caller]
fn one(from: &str, to: &str, expected: &str) {
    let found = problems(from, to);
    assert_eq!(found, [expected], "{to}");
}

#[test]
fn identities() {
    one("7d0c2f0b-4b8a-4a52-b0a2-9a1c7f6e5d03", "large", "plans[2].id: must be a GUID, such as `uuidgen` prints");
    one(
        "91c2b0aa-1f0e-4b1c-8a50-4f8f5f3e2c02",
        "5e1f3c52-74d4-4a86-8a9d-0d0a6a9d1b01",
        "plans[1].id: the plan standard has this id already",
    );
    one(
        "change_to: [large]",
        "change_to: [huge]",
        "plans[0].change_to[0]: there is no plan `huge`; known: standard, fifo, large",
    );
    one(
        "name: test-queue",
        "name: test queue",
        "name: must be of letters, digits, `.` and `-`, beginning and ending with a letter or digit, 1 to 63 of them",
    );
    assert!(
        problems("version: 1.0.0", "version: one")[0].starts_with("plans[1].maintenance.version: is not a semantic")
    );
}

#[test]
fn versions_are_in_order_and_values_of_their_parameter() {
    let ladder = |edit: (&str, &str)| {
        let steps =
            "parameter: retention, steps: [{ version: 1.0.0, value: 345600 }, { version: 1.1.0, value: 86400 }]";
        let text = format!("version: 1.1.0, {steps}");
        assert!(text.contains(edit.0), "{}", edit.0);
        problems("version: 1.0.0", &text.replacen(edit.0, edit.1, 1))
    };
    assert_eq!(ladder(("1.1.0, p", "1.1.0, p")), Vec::<String>::new());
    for (from, to, expected) in [
        ("version: 1.1.0,", "version: 1.2.0,", "version: must be the last step's, 1.1.0"),
        ("value: 86400", "value: 1", "steps[1].value: as retention: must be an integer from 60 to 1209600"),
        ("value: 86400", "value: 345600", "steps[1].value: another step has this value already"),
        ("version: 1.0.0", "version: 1.3.0", "steps[1].version: is not newer than 1.3.0: the oldest comes first"),
        ("value: 345600", "value: 60", "parameter: the default of `retention` is none of the steps"),
        ("parameter: retention, ", "", "steps: steps need the `parameter` that says which one it is"),
    ] {
        assert_eq!(ladder((from, to)), [format!("plans[1].maintenance.{expected}")], "{to}");
    }
}

#[test]
fn parameters() {
    one(
        "maximum: 1209600",
        "exclusiveMaximum: true",
        "parameters.retention.exclusiveMaximum: is not a keyword for parameters; drafts read it differently, use minimum and maximum",
    );
    one(
        "minimum: 60",
        "minimun: 60",
        "parameters.retention.minimun: is not a keyword for parameters; did you mean `minimum`?",
    );
    one(
        "default: 345600",
        "default: 5",
        "parameters.retention.default: the default must be an integer from 60 to 1209600",
    );
    one(
        "minLength: 4",
        "default: abcd",
        "parameters.password.default: a secret has no default: everybody would know it",
    );
    one("retention: 1000 }", "retention: 10 }", "plans[2].fixed.retention: must be an integer from 60 to 1209600");
    one(
        "defaults: { deduplicate: true }",
        "defaults: { deduplcate: true }",
        "plans[1].defaults.deduplcate: there is no parameter `deduplcate`; did you mean `deduplicate`?",
    );
    one(
        "parameter: deduplicate",
        "parameter: fifo",
        "rules[0].parameter: there is no parameter `fifo`; known: dead_letters, deduplicate, deletion, groups, key, password, retention",
    );
    one(
        "fixed: { fifo: true }",
        "fixed: { fifo: false }",
        "plans[1]: the plan's own values and defaults are refused: Deduplication needs a FIFO queue.",
    );
}

#[test]
fn names_resolve_where_they_stand() {
    one(
        "key: ${{ params.key }}",
        "key: ${{ params.kye }}",
        "resources.queue.key: there is no parameter `kye`; did you mean `key`?",
    );
    one(
        "arn: ${{ dead.arn }}",
        "arn: ${{ dead.ran }}",
        "resources.queue.redrive.arn: test/queue has no output `ran`; did you mean `arn`?",
    );
    one(
        "retention: ${{ params.retention }}",
        "retention: ${{ plan.retention }}",
        "resources.queue.retention: `plan.retention` is not defined in every plan: standard, fifo fixes no `retention`; `params.retention` has its value in every plan",
    );
    one(
        "when: ${{ params.dead_letters }}",
        "when: ${{ queue.url != '' }}",
        "resources.dead.when: `queue.url`: outputs are not known here; static names only",
    );
    one(
        "${{ queue.name }}",
        "${{ queue.url }}",
        "instance.dashboard_url: `queue.url`: nothing is made yet; of a resource only `queue.name` is known here",
    );
    one(
        "size: ${{ each.value.size }}",
        "size: ${{ each.vlue.size }}",
        "resources.groups.size: `each` has `key` and `value`, not `vlue`",
    );
    one(
        "queue: ${{ queue.arn }}",
        "queue: ${{ identity.user }}",
        "resources.groups.queue: `identity` is a resource of the binding; the instance was there first",
    );
    one(
        "ACCESS_KEY: ${{ credentials.access_key_id }}",
        "ACCESS_KEY: ${{ identity.user }",
        "binding.styles.old.ACCESS_KEY: `${{` without its `}}`",
    );
    one(
        "not params.deduplicate or plan.fifo",
        "not params.deduplicate or target.name",
        "rules[0].assert: `target.name` is not known to a rule, which sees `params`, `plan`",
    );
    one(
        "size: ${{ each.value.size }}",
        "size: ${{ each.value.sise }}",
        "resources.groups.size: in the plan standard: `each.value.sise` is not defined",
    );
}

#[test]
fn resources_fit_their_kinds() {
    one(
        "kind: test/group",
        "kind: test/groups",
        "resources.groups.kind: there is no kind `test/groups`; did you mean `test/group`?",
    );
    one(
        "fifo: ${{ plan.fifo }}\n    retention",
        "fofi: ${{ plan.fifo }}\n    retention",
        "resources.queue.fofi: test/queue has no property `fofi` here; did you mean `fifo`?",
    );
    one(
        "      count: ${{",
        "      cuont: ${{",
        "resources.queue.redrive.cuont: test/queue has no property `cuont` here; did you mean `count`?",
    );
    one(
        "count: ${{ none if dead.arn is none else 5 }}",
        "count: many",
        "resources.queue.redrive.count: in the plan standard: must be an integer (test/queue)",
    );
    one(
        "when: ${{ params.dead_letters }}\n    fifo: ${{ plan.fifo }}",
        "when: ${{ params.dead_letters }}",
        "resources.dead.fifo: in the plan standard: is required (test/queue)",
    );
    one(
        "retention: ${{ params.retention }}",
        "retention: ${{ params.deletion }}",
        "resources.queue.retention: in the plan standard: must be an integer of at least 60 (test/queue)",
    );
    one(
        "key: ${{ params.key }}",
        "key: ${{ params.deletion }}",
        "parameters.deletion: `params.deletion` is updatable and reaches queue.key, which test/queue cannot change in place",
    );
    one(
        "depends_on: [dead]",
        "depends_on: [identity]",
        "resources.groups.depends_on[0]: there is no resource `identity` here; known: dead, groups, queue",
    );
    one(
        "arn: ${{ dead.arn }}\n",
        "arn: ${{ dead.arn }}${{ groups | json }}\n",
        "resources.groups: the resources wait for each other in a circle: groups needs queue needs groups",
    );
    one(
        "when: ${{ params.dead_letters }}",
        "when: ${{ params.retention }}",
        "resources.dead.when: in the plan standard: `when` must be true or false; write a comparison",
    );
}

#[test]
fn values_that_a_rule_wants_together_are_tried_together() {
    let rule = "rules:\n  - assert: ${{ params.key is none or not params.dead_letters }}\n    message: No.\n";
    let source = QUEUE.replacen("rules:\n", rule, 1).replacen(
        "key: ${{ params.key }}",
        "key: ${{ 5 if params.key else none }}",
        1,
    );
    let problems = Revision::parse("q.yaml", &source, &registry()).unwrap_err();
    assert_eq!(problems.0[0].message, "in the plan standard: must be a text (test/queue)");
}

#[test]
fn what_plans_change_must_be_changeable() {
    let found = problems("change_to: [large]", "change_to: [fifo]");
    let expected = [
        "is part of the name of `queue`, which cannot change",
        "reaches dead.fifo, which test/queue cannot change in place",
        "reaches queue.fifo, which test/queue cannot change in place",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with("plans[0].change_to[0]: `plan.fifo` differs in the plan fifo and "), "{found}");
        assert!(found.ends_with(expected), "{found}");
    }
}

#[test]
fn names_carry_the_slug_and_fit() {
    one(
        "name: ${{ instance.slug }}-dead",
        "name: ${{ target.name }}-dead",
        "resources.dead.name: in the plan standard: the name must carry `instance.slug`, which nobody else has",
    );
    one(
        "name: ${{ instance.slug }}-dead",
        "name: ${{ instance.slug }}",
        "resources.queue.name: in the plan standard: `dead` of the same kind has the same name",
    );
    let long = "-a-suffix-that-is-far-too-long-for-the-name-of-a-queue";
    let found = problems("name: ${{ instance.slug }}-dead", &format!("name: ${{{{ instance.slug }}}}{long}"));
    assert!(found[0].ends_with("is longer than the 80 characters that test/queue allows"), "{found:?}");
    one(
        "serial: groups",
        "name: ${{ instance.slug }}",
        "resources.groups.name: with `for_each` the name must carry `each.key`, or all have the same",
    );
}

#[test]
fn secrets_stay_out_of_sight() {
    one(
        "labels: { namespace: \"${{ instance.namespace }}\" }",
        "labels: { p: \"${{ params.password | upper }}\" }",
        "instance.labels.p: `params.password | upper` is secret, and this is shown to people",
    );
    one(
        "host: \"queue.${{ target.region }}.example.com\"",
        "host: \"${{ identity.credentials.host }}\"",
        "binding.endpoints[0].host: `identity.credentials.host` is secret, and this is shown to people",
    );
    one(
        "message: Deduplication needs a FIFO queue.",
        "message: Not with ${{ params.password }}",
        "rules[0].message: `params.password` is secret, and this is shown to people",
    );
}

#[test]
fn user_text_is_never_a_pattern() {
    one(
        "| default('', true) | literal }}*",
        "| default('', true) }}*",
        "binding.resources.identity.statements[0].resources[0]: `params.prefix` is the user's text, and AWS reads patterns here; write `params.prefix | literal`",
    );
    one(
        "- ${{ dead.arn }}\n",
        "- ${{ instance.params.key | default('x', true) }}\n",
        "binding.resources.identity.statements[0].resources[1]: `instance.params.key` is the user's text, and AWS reads patterns here; write `instance.params.key | literal`",
    );
    assert_eq!(
        problems("- ${{ dead.arn }}\n", "- ${{ '*' if params.role == 'producer' else none }}\n"),
        Vec::<String>::new()
    );
}

#[test]
fn an_existing_thing_is_named_by_a_reference_only() {
    let refused = |what: &str| {
        format!(
            "resources.queue.key: `{what}` is the user's text, and what it names would be used with the broker's power; only \
             a parameter with `reference: kms-key` may stand here"
        )
    };
    one("reference: kms-key", "minLength: 1", &refused("params.key"));
    one("reference: kms-key", "reference: role", &refused("params.key"));
    // Unlike a pattern, a name that was escaped is still the name.
    one("key: ${{ params.key }}", "key: ${{ instance.id | literal }}", &refused("instance.id"));
    one("key: ${{ params.key }}", "key: alias/${{ instance.name }}", &refused("instance.name"));
    // A text that only chooses among the file's own names no thing.
    for own in ["alias/${{ target.name }}", "${{ 'alias/a' if instance.name == 'a' else params.key }}"] {
        assert_eq!(problems("key: ${{ params.key }}", &format!("key: {own}")), Vec::<String>::new());
    }
    one(
        "{ type: string, reference: kms-key }",
        "{ type: array, reference: kms-key }",
        "parameters.key.reference: a reference is a parameter of type string",
    );
}

#[test]
fn credentials_fit_a_secret() {
    one(
        "    type: queue\n",
        "",
        "binding.credentials: `type` is missing: it says to applications what this is, or who provides it",
    );
    one(
        "queue_url: ${{ queue.url }}",
        "queue url: ${{ queue.url }}",
        "binding.credentials.queue url: is no key of a Kubernetes Secret: letters, digits, `-`, `.`, `_`, 253 at most",
    );
    one(
        "region: ${{ target.region }}\n    password",
        "region: [a]\n    password",
        "binding.credentials.region: must be a text; use `| json` for a list or a map",
    );
    one(
        "region: ${{ target.region }}\n    password",
        "region: ${{ instance.params.groups or [1] }}\n    password",
        "binding.credentials.region: in the plan standard: must be a text; use `| json` for a list or a map",
    );
}

#[test]
fn all_problems_come_at_once_with_their_lines() {
    let source = QUEUE
        .replacen("default: 345600", "default: 5", 1)
        .replacen("kind: test/group", "kind: test/groups", 1)
        .replacen("key: ${{ params.key }}", "key: ${{ params.kye | uper }}", 1)
        .replacen("tags: [queue]", "tgas: [queue]", 1);
    let problems = Revision::parse("q.yaml", &source, &registry()).unwrap_err();
    let lines: Vec<String> = problems.0.iter().map(|p| format!("{}:{}", p.line.unwrap(), p.path)).collect();
    assert_eq!(
        lines,
        ["4:tgas", "28:parameters.retention.default", "62:resources.queue.key", "73:resources.groups.kind"]
    );
}

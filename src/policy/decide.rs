//! One order, one decision.

use super::format::{Match, Rule};
use super::{Policy, Target, Terms};

/// Who orders what. The names of offering and plan, not their ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placement<'a> {
    /// Whose credentials were used.
    pub platform: &'a str,
    /// From the request's context, as are the next two.
    pub organization: Option<&'a str>,
    /// The space.
    pub space: Option<&'a str>,
    /// The namespace.
    pub namespace: Option<&'a str>,
    /// The offering's name.
    pub offering: &'a str,
    /// The plan's name.
    pub plan: &'a str,
    /// The target that the plan names.
    pub plan_target: Option<&'a str>,
    /// The user's parameter `target`.
    pub chosen_target: Option<&'a str>,
}

/// Where a new instance goes and what holds for it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Where it lives; the broker pins it on the instance.
    pub target: Target,
    /// What the user may say as parameter `target`; empty: nothing.
    pub may_choose_target: Vec<String>,
    /// What holds for it there.
    pub terms: Terms,
}

/// Why an order has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A rule's own sentence.
    #[error("{0}")]
    Denied(String),
    /// The user chose a target that is not theirs to choose.
    #[error("target cannot be chosen like this; {}", allowed_targets(.allowed))]
    TargetNotAllowed {
        /// What they may say.
        allowed: Vec<String>,
    },
    /// Plan and rule contradict each other.
    #[error(
        "this plan is made in target {plan:?} only, but the administrator's rules place orders from here in {rule:?}"
    )]
    PlanElsewhere {
        /// The plan's target.
        plan: String,
        /// The rule's.
        rule: String,
    },
    /// The plan names a target that the file has not.
    #[error("this plan is made in target {0:?}, which the administrator has not set up")]
    UnknownTarget(String),
    /// Nothing chooses a target.
    #[error("the administrator has set up no target for orders from here")]
    NoTarget,
}

impl Refusal {
    /// The parameter to change, where it is the user's to fix.
    pub fn parameter(&self) -> Option<&'static str> {
        matches!(self, Self::TargetNotAllowed { .. }).then_some("target")
    }
}

fn allowed_targets(allowed: &[String]) -> String {
    match allowed {
        [] => "leave the parameter out".to_owned(),
        [one] => format!("only {one:?} is possible"),
        more => format!("possible are {}", more.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")),
    }
}

impl Policy {
    /// Where a new instance goes and what holds for it.
    pub fn decide(&self, order: &Placement<'_>) -> Result<Decision, Refusal> {
        // Rules that match on the target speak once it is known; none of them chooses it (checked).
        let early: Vec<&Rule> = self.0.rules.iter().filter(|rule| rule.matching.fits(order, None)).collect();
        if let Some(deny) = early.iter().find_map(|rule| rule.deny.clone()) {
            return Err(Refusal::Denied(deny));
        }
        let ruled = early.iter().rev().find_map(|rule| rule.target.as_deref());
        let choice = early.iter().rev().find_map(|rule| rule.user_may_choose_target.as_deref()).unwrap_or_default();
        let target = self.place(order, ruled, choice)?;
        let terms = self.terms(order, &target.name);
        if let Some(deny) = terms.deny {
            return Err(Refusal::Denied(deny));
        }
        Ok(Decision { target: target.clone(), may_choose_target: choice.to_vec(), terms })
    }

    fn place(&self, order: &Placement<'_>, ruled: Option<&str>, choice: &[String]) -> Result<&Target, Refusal> {
        if let (Some(plan), Some(rule)) = (order.plan_target, ruled)
            && plan != rule
        {
            return Err(Refusal::PlanElsewhere { plan: plan.to_owned(), rule: rule.to_owned() });
        }
        let usual = order.plan_target.or(ruled).or(self.0.default_target.as_deref());
        // What a plan is made in is part of what is ordered, so no choice moves it.
        let choice = if order.plan_target.is_some() { &[] } else { choice };
        let name = match order.chosen_target {
            None => usual.ok_or(Refusal::NoTarget)?,
            Some(chosen) if usual == Some(chosen) || choice.iter().any(|name| name == chosen) => chosen,
            Some(_) => {
                let mut allowed = choice.to_vec();
                allowed.extend(usual.filter(|usual| choice.iter().all(|name| name != usual)).map(str::to_owned));
                return Err(Refusal::TargetNotAllowed { allowed });
            }
        };
        self.target(name).ok_or_else(|| Refusal::UnknownTarget(name.to_owned()))
    }

    /// What holds for an instance that lives in `target`: for updates and bindings, and part of [`Policy::decide`].
    pub fn terms(&self, order: &Placement<'_>, target: &str) -> Terms {
        let mut terms = Terms { tags: self.0.tags.clone(), ..Terms::default() };
        if let Some(target) = self.target(target) {
            terms.tags.extend(target.tags.clone());
        }
        if let Some(platform) = self.0.platforms.get(order.platform) {
            terms.bindings_per_instance = platform.limits.bindings_per_instance;
            terms.quotas.extend(platform.limits.instances.map(|max| Match::default().quota(max, order)));
        }
        for rule in self.0.rules.iter().filter(|rule| rule.matching.fits(order, Some(target))) {
            terms.add(rule, order);
        }
        terms
    }
}

impl Match {
    /// Whether every key that is given fits. Without a target only rules fit that do not ask for one.
    fn fits(&self, order: &Placement<'_>, target: Option<&str>) -> bool {
        [
            (&self.platform, Some(order.platform)),
            (&self.organization, order.organization),
            (&self.space, order.space),
            (&self.namespace, order.namespace),
            (&self.offering, Some(order.offering)),
            (&self.plan, Some(order.plan)),
            (&self.target, target),
        ]
        .into_iter()
        .all(|(globs, value)| globs.as_ref().is_none_or(|globs| value.is_some_and(|value| globs.matches(value))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const FILE: &str = r#"
platforms:
  - name: kubernetes
    credentials: [{ token_sha256: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" }]
    offerings: [s3-bucket, "sqs-*"]
    limits: { instances: 100, bindings_per_instance: 50 }
targets:
  - { name: main, account: "123456789012", region: eu-central-1, tags: { team: main, stage: live } }
  - { name: other, account: "210987654321", region: us-east-1 }
  - { name: china, account: "111111111111", region: cn-north-1 }
default_target: main
tags: { team: nobody, owner: platform }
rules:
  - match: {}
    forced: { versioning: false, logging: true }
    allow: { role: ["arn:aws:iam::*:role/app-*"] }
  - match: { namespace: "team-*" }
    forced: { versioning: true }
    allow: { role: ["arn:aws:iam::*:role/team-*"] }
    user_may_choose_target: [main, other]
    limits: { instances: 10, bindings_per_instance: 5 }
  - match: { namespace: team-fixed }
    target: other
    user_may_choose_target: []
  - match: { namespace: team-none, offering: [rds, "eks-*"] }
    limits: { instances: 1 }
    deny: Teams without a budget cannot order databases or clusters.
  - match: { target: other }
    tags: { stage: test }
    forced: { region_note: us }
  - match: { target: other, plan: archive }
    deny: There is no archive in us-east-1.
"#;

    fn policy() -> Policy {
        Policy::parse("policy.yaml", FILE).unwrap()
    }

    fn order<'a>(namespace: Option<&'a str>, chosen: Option<&'a str>) -> Placement<'a> {
        Placement {
            platform: "kubernetes",
            namespace,
            offering: "s3-bucket",
            plan: "standard",
            chosen_target: chosen,
            ..Placement::default()
        }
    }

    fn target(order: Placement<'_>) -> Result<String, String> {
        policy().decide(&order).map(|decision| decision.target.name).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_later_rule_wins_lists_add_and_every_limit_holds() {
        let decision = policy().decide(&order(Some("team-a"), None)).unwrap();
        assert_eq!(decision.target.name, "main");
        assert_eq!(decision.may_choose_target, ["main", "other"]);
        let terms = decision.terms;
        assert_eq!(Value::Object(terms.forced.clone()), json!({"versioning": true, "logging": true}));
        assert_eq!(json!(terms.tags), json!({"team": "main", "stage": "live", "owner": "platform"}));
        assert!(
            terms.allows("role", "arn:aws:iam::1:role/app-x") && terms.allows("role", "arn:aws:iam::1:role/team-x")
        );
        assert!(!terms.allows("role", "arn:aws:iam::1:role/admin") && !terms.allows("kms-key", "x"));
        assert_eq!(terms.bindings_per_instance, Some(5));
        let quotas: Vec<_> = terms.quotas.iter().map(|quota| (quota.max, quota.namespace.as_deref())).collect();
        assert_eq!(quotas, [(100, None), (10, Some("team-a"))]);
        assert!(terms.quotas[1].refusal().starts_with("the limit of 10 instances in namespace team-a is reached"));
    }

    #[test]
    fn a_rule_on_a_namespace_is_not_for_an_order_without_one() {
        let decision = policy().decide(&order(None, None)).unwrap();
        assert_eq!(decision.terms.forced["versioning"], json!(false));
        assert_eq!(decision.terms.quotas.len(), 1);
    }

    #[test]
    fn a_user_chooses_only_what_the_rules_let_them() {
        assert_eq!(target(order(Some("team-a"), Some("other"))).unwrap(), "other");
        assert_eq!(target(order(None, Some("main"))).unwrap(), "main", "naming what holds anyway does no harm");
        assert_eq!(target(order(Some("team-fixed"), None)).unwrap(), "other");
        for (namespace, chosen, allowed) in [
            (Some("team-a"), "china", r#"possible are "main", "other""#),
            (None, "other", r#"only "main" is possible"#),
            (Some("team-fixed"), "main", r#"only "other" is possible"#),
        ] {
            let sentence = target(order(namespace, Some(chosen))).unwrap_err();
            assert!(sentence.starts_with("target ") && sentence.ends_with(allowed), "{sentence}");
        }
        let refusal = policy().decide(&order(None, Some("other"))).unwrap_err();
        assert_eq!(refusal.parameter(), Some("target"));
    }

    #[test]
    fn what_a_plan_is_made_in_is_not_moved() {
        let plan = |namespace, plan_target, chosen| {
            target(Placement { plan_target: Some(plan_target), ..order(namespace, chosen) })
        };
        assert_eq!(plan(Some("team-a"), "china", None).unwrap(), "china");
        assert!(plan(Some("team-a"), "china", Some("main")).unwrap_err().contains(r#"only "china""#));
        assert!(plan(Some("team-fixed"), "china", None).unwrap_err().contains(r#"place orders from here in "other""#));
        assert!(plan(None, "mars", None).unwrap_err().contains("not set up"));
    }

    #[test]
    fn rules_on_the_target_speak_once_it_is_chosen() {
        let there = policy().decide(&order(Some("team-a"), Some("other"))).unwrap().terms;
        assert_eq!(json!(there.tags), json!({"team": "nobody", "owner": "platform", "stage": "test"}));
        assert_eq!(there.forced["region_note"], json!("us"));
        let archive = Placement { plan: "archive", ..order(Some("team-a"), Some("other")) };
        assert_eq!(target(archive).unwrap_err(), "There is no archive in us-east-1.");
    }

    #[test]
    fn a_denial_is_said_before_anything_else_and_terms_still_tell_the_rest() {
        let denied = Placement { offering: "eks-cluster", ..order(Some("team-none"), Some("china")) };
        assert!(target(denied).unwrap_err().starts_with("Teams without a budget"));
        let terms = policy().terms(&denied, "main");
        assert!(terms.deny.is_some() && terms.forced["versioning"] == json!(true));
        let sentence = terms.quotas[2].refusal();
        assert!(sentence.starts_with("the limit of 1 instance of rds or eks-* in namespace team-none"), "{sentence}");
    }

    #[test]
    fn a_platform_sees_the_offerings_of_its_list() {
        let policy = policy();
        assert!(policy.visible("kubernetes", "s3-bucket") && policy.visible("kubernetes", "sqs-queue"));
        assert!(!policy.visible("kubernetes", "rds") && !policy.visible("stranger", "s3-bucket"));
    }
}

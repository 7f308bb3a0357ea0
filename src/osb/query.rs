//! The query parameters of the routes, read tolerantly: names in any order, the first of several wins, a name without a
//! value counts as not sent, unknown names are ignored.

use std::borrow::Cow;

use super::{Error, PlanId, ServiceId, percent};

/// What the query says for that name.
fn value<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| percent::decode_query(key) == name)
        .map(|(_, value)| percent::decode_query(value))
        .filter(|value| !value.is_empty())
}

/// Whether the platform can wait: only exactly `true` says so (spec: "Asynchronous operations").
pub fn accepts_incomplete(query: Option<&str>) -> bool {
    value(query, "accepts_incomplete").is_some_and(|value| value == "true")
}

/// The query of `DELETE` of an instance or a binding. The ids are mandatory, but for a binding other answers come before
/// the refusal, so whoever decides calls [`Self::required`] when its turn comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteQuery {
    /// The offering. Judged by presence only: a thing whose offering has left the catalog must still be deletable.
    pub service_id: Option<ServiceId>,
    /// The plan. Judged by presence only.
    pub plan_id: Option<PlanId>,
    /// Whether the platform can wait.
    pub accepts_incomplete: bool,
}

impl DeleteQuery {
    /// Reads the raw query.
    pub fn parse(query: Option<&str>) -> Self {
        let FetchQuery { service_id, plan_id } = FetchQuery::parse(query);
        Self { service_id, plan_id, accepts_incomplete: accepts_incomplete(query) }
    }

    /// Both ids, or a 400 that names the missing one.
    pub fn required(&self) -> Result<(&ServiceId, &PlanId), Error> {
        let service = self.service_id.as_ref().ok_or_else(|| Error::bad_request("service_id is missing"))?;
        let plan = self.plan_id.as_ref().ok_or_else(|| Error::bad_request("plan_id is missing"))?;
        Ok((service, plan))
    }
}

/// The query of `GET` of an instance or a binding: hints only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchQuery {
    /// The offering.
    pub service_id: Option<ServiceId>,
    /// The plan.
    pub plan_id: Option<PlanId>,
}

impl FetchQuery {
    /// Reads the raw query.
    pub fn parse(query: Option<&str>) -> Self {
        Self {
            service_id: value(query, "service_id").map(ServiceId::new),
            plan_id: value(query, "plan_id").map(PlanId::new),
        }
    }
}

/// The query of `last_operation`. On a plan change `plan_id` is the old plan by the specification and the new one by
/// Service Catalog: it decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastOperationQuery {
    /// The offering.
    pub service_id: Option<ServiceId>,
    /// The plan.
    pub plan_id: Option<PlanId>,
    /// The operation that the broker named; any text.
    pub operation: Option<String>,
}

impl LastOperationQuery {
    /// Reads the raw query.
    pub fn parse(query: Option<&str>) -> Self {
        let FetchQuery { service_id, plan_id } = FetchQuery::parse(query);
        Self { service_id, plan_id, operation: value(query, "operation").map(Cow::into_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_true_accepts_incomplete() {
        for (query, accepted) in [
            ("accepts_incomplete=true", true),
            ("a=b&accepts_incomplete=true&c", true),
            ("accepts%5Fincomplete=true", true),
            ("accepts_incomplete=true&accepts_incomplete=false", true),
            ("accepts_incomplete=false&accepts_incomplete=true", false),
            ("accepts_incomplete=TRUE", false),
            ("accepts_incomplete=1", false),
            ("accepts_incomplete=", false),
            ("accepts_incomplete", false),
            ("", false),
        ] {
            assert_eq!(accepts_incomplete(Some(query)), accepted, "{query}");
        }
        assert!(!accepts_incomplete(None));
    }

    #[test]
    fn odd_queries_are_read() {
        let query = DeleteQuery::parse(Some("&&plan_id&service_id=a%2Fb%26c&service_id=second&plan_id=&x=%zz"));
        assert_eq!(query.service_id, Some(ServiceId::from("a/b&c")));
        assert_eq!(query.required().unwrap_err().description(), "plan_id is missing");
        let poll = LastOperationQuery::parse(Some("operation=a%3Db%20c&plan_id=p"));
        assert_eq!((poll.operation.as_deref(), poll.plan_id), (Some("a=b c"), Some(PlanId::from("p"))));
    }
}

//! `sqs/queue`: an encrypted queue that answers over TLS only.
//!
//! A queue is made with all its attributes and tags in one call, and making it again with the same ones gives the same
//! queue, so a lost reply does no harm. Its name holds 80 random bits of the owner's uid; one that carries another owner's
//! tag is never touched.

mod desired;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::operation::create_queue::CreateQueueError;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value, json};

use self::desired::{Desired, WhenNotEmpty};
use crate::aws::{OrFault, Sessions, check_key_region, fault};
use crate::driver::{Class, Context, Deletion, Driver, Fault, Found, Handle, Kind, Naming, Output, Outputs, Progress};

/// How long the name of a deleted queue cannot be used again
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>).
const NAME_REST: Duration = Duration::from_secs(60);

/// The driver.
pub struct QueueDriver {
    sessions: Sessions,
    kind: Kind,
}

impl QueueDriver {
    /// Over these sessions.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions, kind: kind() }
    }

    async fn queue<'a>(&self, cx: &'a Context, desired: &Value) -> Result<Queue<'a>, Fault> {
        let session = self.sessions.of(&cx.target).await?;
        Ok(Queue { sqs: session.sqs(), cx, desired: Desired::read(desired)? })
    }
}

#[async_trait]
impl Driver for QueueDriver {
    fn kind(&self) -> &Kind {
        &self.kind
    }

    async fn ensure(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<Progress, Fault> {
        let queue = self.queue(cx, desired).await?;
        check_key_region(&cx.target, queue.desired.kms_key.as_deref())?;
        let held = if cx.first { None } else { queue.find(known).await? };
        let url = match held {
            Some((url, tags)) => {
                queue.converge(&url, &tags).await?;
                url
            }
            None => match queue.create().await? {
                Some(url) => url,
                // There with other attributes: an earlier attempt's, from before they were changed.
                None => match queue.find(None).await? {
                    Some((url, tags)) => {
                        queue.converge(&url, &tags).await?;
                        url
                    }
                    None => return Err(Fault::transient("the queue is not visible yet")),
                },
            },
        };
        let handle = Handle(json!({ "url": url }));
        // SQS may need a second until a new queue answers everywhere (API_CreateQueue): ready when it does.
        if queue.answers(&url).await? {
            return Ok(Progress::Ready { handle, outputs: queue.outputs(&url) });
        }
        Ok(Progress::Waiting { handle, after: Duration::from_secs(1), note: "the queue is being created".to_owned() })
    }

    async fn may_delete(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<(), Fault> {
        let queue = self.queue(cx, desired).await?;
        if queue.desired.when_not_empty == WhenNotEmpty::Delete {
            return Ok(());
        }
        match queue.find_ours(known).await? {
            Some(url) => queue.refuse_messages(&url).await,
            None => Ok(()),
        }
    }

    async fn delete(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<Deletion, Fault> {
        let queue = self.queue(cx, desired).await?;
        // With a handle we know it to be ours.
        let url = match url_of(known) {
            Some(url) => Some(url),
            None => queue.find_ours(None).await?,
        };
        let Some(url) = url else { return Ok(Deletion::Gone) };
        if queue.desired.when_not_empty == WhenNotEmpty::Refuse {
            queue.refuse_messages(&url).await?;
        }
        match queue.sqs.delete_queue().queue_url(url).send().await {
            Ok(_) => Ok(Deletion::Gone),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => Ok(Deletion::Gone),
            Err(error) => Err(fault("sqs:DeleteQueue", &error)),
        }
    }

    async fn inventory(&self, cx: &Context, prefix: &str) -> Result<Vec<Found>, Fault> {
        let session = self.sessions.of(&cx.target).await?;
        let sqs = session.sqs();
        let mut found = Vec::new();
        let mut pages = sqs.list_queues().queue_name_prefix(prefix).max_results(1000).into_paginator().send();
        while let Some(page) = pages.next().await {
            for url in page.or_fault("sqs:ListQueues")?.queue_urls.unwrap_or_default() {
                let tags = match sqs.list_queue_tags().queue_url(&url).send().await {
                    Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => continue,
                    answer => answer.or_fault("sqs:ListQueueTags")?.tags.unwrap_or_default(),
                };
                let name = url.rsplit('/').next().unwrap_or_default().to_owned();
                found.push(Found { name, owner: tags.get(Context::OWNER_TAG).cloned() });
            }
        }
        Ok(found)
    }
}

fn url_of(known: Option<&Handle>) -> Option<String> {
    known?.0["url"].as_str().map(str::to_owned)
}

/// One queue and what is wanted of it.
struct Queue<'a> {
    sqs: aws_sdk_sqs::Client,
    cx: &'a Context,
    desired: Desired,
}

type Tags = HashMap<String, String>;

impl Queue<'_> {
    fn arn(&self) -> String {
        let target = &self.cx.target;
        format!("arn:{}:sqs:{}:{}:{}", target.partition, target.region, target.account, self.cx.name)
    }

    fn outputs(&self, url: &str) -> Outputs {
        let outputs = json!({ "url": url, "arn": self.arn(), "name": self.cx.name, "region": self.cx.target.region });
        Outputs(outputs.as_object().cloned().unwrap_or_default())
    }

    /// The new queue's URL; none if there is one of that name with other attributes.
    async fn create(&self) -> Result<Option<String>, Fault> {
        let call = self.sqs.create_queue().queue_name(&self.cx.name);
        let call = call.set_attributes(Some(self.desired.at_creation(&self.arn())));
        let call = call.set_tags(Some(self.cx.tags.clone().into_iter().collect()));
        match call.send().await {
            Ok(answer) => match answer.queue_url {
                Some(url) => Ok(Some(url)),
                None => Err(Fault::bug("SQS answered without the queue's URL")),
            },
            Err(error) => match error.as_service_error() {
                Some(CreateQueueError::QueueNameExists(_)) => Ok(None),
                Some(CreateQueueError::QueueDeletedRecently(_)) => {
                    let detail = fault("sqs:CreateQueue", &error).detail.unwrap_or_default();
                    let mut fault = Fault::transient("a queue of this name was deleted less than a minute ago");
                    fault.retry_after = Some(NAME_REST);
                    Err(fault.with_detail(detail))
                }
                _ => Err(fault("sqs:CreateQueue", &error)),
            },
        }
    }

    /// URL and tags of the queue of our name, if there is one. Another owner's is a conflict.
    async fn find(&self, known: Option<&Handle>) -> Result<Option<(String, Tags)>, Fault> {
        let url = match url_of(known) {
            Some(url) => url,
            None => match self.sqs.get_queue_url().queue_name(&self.cx.name).send().await {
                Ok(answer) => answer.queue_url.ok_or_else(|| Fault::bug("SQS answered without the queue's URL"))?,
                Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => {
                    return Ok(None);
                }
                Err(error) => return Err(fault("sqs:GetQueueUrl", &error)),
            },
        };
        let tags = match self.sqs.list_queue_tags().queue_url(&url).send().await {
            Ok(answer) => answer.tags.unwrap_or_default(),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => return Ok(None),
            Err(error) => return Err(fault("sqs:ListQueueTags", &error)),
        };
        if tags.get(Context::OWNER_TAG).is_some_and(|owner| *owner != self.cx.owner.to_string()) {
            return Err(Fault::new(
                Class::Conflict,
                format!("a queue named {} that the broker did not make is in the way", self.cx.name),
            ));
        }
        Ok(Some((url, tags)))
    }

    /// As [`Queue::find`], where another owner's counts as not there.
    async fn find_ours(&self, known: Option<&Handle>) -> Result<Option<String>, Fault> {
        match self.find(known).await {
            Err(fault) if fault.class == Class::Conflict => Ok(None),
            found => Ok(found?.map(|(url, _)| url)),
        }
    }

    /// All attributes in one call, and the tags where they differ.
    async fn converge(&self, url: &str, held: &Tags) -> Result<(), Fault> {
        let call = self.sqs.set_queue_attributes().queue_url(url);
        let call = call.set_attributes(Some(self.desired.changeable(&self.arn())));
        call.send().await.or_fault("sqs:SetQueueAttributes")?;
        if self.cx.tags.iter().any(|(key, value)| held.get(key) != Some(value)) {
            let call = self.sqs.tag_queue().queue_url(url).set_tags(Some(self.cx.tags.clone().into_iter().collect()));
            call.send().await.or_fault("sqs:TagQueue")?;
        }
        Ok(())
    }

    async fn answers(&self, url: &str) -> Result<bool, Fault> {
        match self.sqs.get_queue_attributes().queue_url(url).attribute_names(Name::QueueArn).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => Ok(false),
            Err(error) => Err(fault("sqs:GetQueueAttributes", &error)),
        }
    }

    /// Refuses if messages are in it. A queue that is not there has none.
    async fn refuse_messages(&self, url: &str) -> Result<(), Fault> {
        let counts = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(counts.to_vec()));
        let held = match call.send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => return Ok(()),
            answer => answer.or_fault("sqs:GetQueueAttributes")?.attributes.unwrap_or_default(),
        };
        if counts.iter().all(|count| held.get(count).is_none_or(|number| number == "0")) {
            return Ok(());
        }
        Err(Fault::rejected(format!(
            "the queue {} still has messages; receive or purge them, or change the instance to `deletion: delete` first",
            self.cx.name
        )))
    }
}

fn kind() -> Kind {
    Kind {
        name: "sqs/queue",
        summary: "An SQS queue: encrypted, TLS only",
        schema: desired::schema(),
        mutable: desired::MUTABLE,
        outputs: OUTPUTS,
        naming: Naming { max_length: 80, extra: "-_.", global: false },
        usual_create: Duration::from_secs(2),
        usual_delete: Duration::from_secs(1),
        actions: ACTIONS,
    }
}

const OUTPUTS: &[Output] = &[
    Output { name: "url", secret: false, description: "The queue's URL." },
    Output { name: "arn", secret: false, description: "Its ARN." },
    Output { name: "name", secret: false, description: "Its name." },
    Output { name: "region", secret: false, description: "Its region." },
];

const ACTIONS: &[&str] = &[
    "sqs:CreateQueue",
    "sqs:DeleteQueue",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
    "sqs:ListQueues",
    "sqs:SetQueueAttributes",
    "sqs:TagQueue",
];

//! What an expression mentions, read from its syntax tree without evaluating it: the base of the checks, of the order of
//! resources and of secrecy. This is the only place that uses minijinja's unstable syntax tree.

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::machinery::parse_expr;

use super::functions::{FILTERS, FUNCTIONS, TESTS};
use super::words;

/// A dotted name: `params.kms_key`, `node_groups["blue"].arn`. It ends where the name is computed (`params[x]` is `params`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(pub Vec<String>);

impl Path {
    /// The first word.
    pub fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The word at that place.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// What one expression mentions.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// Every name, sorted, once each.
    pub names: Vec<Path>,
    /// The names whose own text may become part of the result without having passed `literal`.
    pub raw: Vec<Path>,
    /// The names whose own text may become part of the result, escaped or not.
    pub carried: Vec<Path>,
    /// The whole expression is this name and nothing else.
    pub only: Option<Path>,
}

/// Reads an expression; the errors are sentences.
pub(super) fn read(source: &str) -> Result<Mentions, Vec<String>> {
    let tree = parse_expr(source).map_err(|e| vec![e.detail().unwrap_or("this is not an expression").to_owned()])?;
    let mut walk = Walk::default();
    walk.visit(&tree, Flow::Raw);
    if !walk.errors.is_empty() {
        return Err(walk.errors);
    }
    for list in [&mut walk.names, &mut walk.raw, &mut walk.carried] {
        list.sort();
        list.dedup();
    }
    Ok(Mentions { names: walk.names, raw: walk.raw, carried: walk.carried, only: whole_path(&tree) })
}

/// How what is visited can become part of the result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flow {
    /// As it is.
    Raw,
    /// Without what AWS would read as a pattern; a plain name stays itself.
    Escaped,
    /// Not at all: it is only compared, measured or tested.
    Tame,
}

#[derive(Default)]
struct Walk {
    names: Vec<Path>,
    raw: Vec<Path>,
    carried: Vec<Path>,
    errors: Vec<String>,
}

impl Walk {
    fn name(&mut self, path: Path, flow: Flow) {
        if flow == Flow::Raw {
            self.raw.push(path.clone());
        }
        if flow < Flow::Tame {
            self.carried.push(path.clone());
        }
        self.names.push(path);
    }

    fn visit(&mut self, expr: &Expr<'_>, flow: Flow) {
        if let Some((path, subscripts)) = path(expr) {
            self.name(path, flow);
            // A computed subscript chooses, it does not become text.
            subscripts.iter().for_each(|s| self.visit(s, Flow::Tame));
            return;
        }
        match expr {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(e) => {
                self.visit(&e.expr, flow);
                for bound in [&e.start, &e.stop, &e.step].into_iter().flatten() {
                    self.visit(bound, Flow::Tame);
                }
            }
            Expr::UnaryOp(e) => self.visit(&e.expr, Flow::Tame),
            Expr::BinOp(e) => {
                use minijinja::machinery::ast::BinOpKind as Op;
                let compares = matches!(e.op, Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte | Op::In);
                let flow = if compares { Flow::Tame } else { flow };
                self.visit(&e.left, flow);
                self.visit(&e.right, flow);
            }
            Expr::Compare(e) => {
                self.visit(&e.expr, Flow::Tame);
                e.ops.iter().for_each(|op| self.visit(&op.expr, Flow::Tame));
            }
            Expr::IfExpr(e) => {
                self.visit(&e.test_expr, Flow::Tame);
                self.visit(&e.true_expr, flow);
                match &e.false_expr {
                    Some(other) => self.visit(other, flow),
                    None => self.errors.push("an `if` needs its `else` (`else none` drops the key)".to_owned()),
                }
            }
            Expr::Filter(e) => {
                self.known("filter", e.name, FILTERS);
                let inner = match e.name {
                    "literal" | "slugify" => flow.max(Flow::Escaped),
                    "length" | "hash" | "int" | "float" | "bool" => Flow::Tame,
                    _ => flow,
                };
                e.expr.iter().for_each(|input| self.visit(input, inner));
                self.arguments(&e.args, flow);
            }
            Expr::Test(e) => {
                self.known("test", e.name, TESTS);
                self.visit(&e.expr, Flow::Tame);
                self.arguments(&e.args, Flow::Tame);
            }
            Expr::GetAttr(e) => self.visit(&e.expr, flow),
            Expr::GetItem(e) => {
                self.visit(&e.expr, flow);
                self.visit(&e.subscript_expr, Flow::Tame);
            }
            Expr::Call(e) => {
                match &e.expr {
                    Expr::Var(var) => self.known("function", var.id, FUNCTIONS),
                    _ => self.errors.push("methods cannot be called; use a filter".to_owned()),
                }
                self.arguments(&e.args, flow);
            }
            Expr::List(e) => e.items.iter().for_each(|item| self.visit(item, flow)),
            Expr::Tuple(e) => e.items.iter().for_each(|item| self.visit(item, flow)),
            Expr::Map(e) => e.keys.iter().chain(&e.values).for_each(|item| self.visit(item, flow)),
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>], flow: Flow) {
        for argument in arguments {
            let (CallArg::Pos(e) | CallArg::Kwarg(_, e) | CallArg::PosSplat(e) | CallArg::KwargSplat(e)) = argument;
            self.visit(e, flow);
        }
    }

    fn known(&mut self, what: &str, name: &str, list: &[&str]) {
        if !list.contains(&name) {
            let hint = words::did_you_mean(name, list.iter().copied());
            self.errors.push(format!("there is no {what} `{name}`{hint}"));
        }
    }
}

/// The longest dotted name that the expression is, and the computed subscripts after it.
fn path<'e, 'a>(expr: &'e Expr<'a>) -> Option<(Path, Vec<&'e Expr<'a>>)> {
    match expr {
        Expr::Var(var) => Some((Path(vec![var.id.to_owned()]), Vec::new())),
        Expr::GetAttr(e) => {
            let (mut path, subscripts) = path(&e.expr)?;
            if subscripts.is_empty() {
                path.0.push(e.name.to_owned());
            }
            Some((path, subscripts))
        }
        Expr::GetItem(e) => {
            let (mut path, mut subscripts) = path(&e.expr)?;
            match &e.subscript_expr {
                Expr::Const(c) if c.value.as_str().is_some() && subscripts.is_empty() => {
                    path.0.extend(c.value.as_str().map(str::to_owned));
                }
                other => subscripts.push(other),
            }
            Some((path, subscripts))
        }
        _ => None,
    }
}

fn whole_path(expr: &Expr<'_>) -> Option<Path> {
    path(expr).filter(|(_, subscripts)| subscripts.is_empty()).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> (String, String) {
        let mentions = read(source).unwrap();
        let join = |list: &[Path]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        (join(&mentions.names), join(&mentions.raw))
    }

    #[test]
    fn names_are_dotted_and_end_where_they_are_computed() {
        assert_eq!(names("params.a.b + groups['blue'].arn").0, "groups.blue.arn params.a.b");
        assert_eq!(names("groups[params.x].arn").0, "groups params.x");
        assert_eq!(names("params.list[0].x").0, "params.list");
        assert_eq!(read("params['a']").unwrap().only, Some(Path(vec!["params".into(), "a".into()])));
        assert_eq!(read("params.a[0]").unwrap().only, None);
    }

    #[test]
    fn text_is_raw_until_it_passes_literal_or_is_only_looked_at() {
        assert_eq!(names("'x/' ~ (params.p | literal) ~ '/*'").1, "");
        assert_eq!(names("params.p | default('*')").1, "params.p");
        assert_eq!(names("'*' if params.p == 'all' else bucket.arn").1, "bucket.arn");
        assert_eq!(names("(params.p or '*') | upper").1, "params.p");
        assert_eq!(names("[params.p | literal, params.q]").1, "params.q");
    }

    #[test]
    fn what_is_only_escaped_is_carried_all_the_same() {
        let carried = |source: &str| read(source).unwrap().carried.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(carried("(params.p | literal) ~ (params.q | slugify)"), ["params.p", "params.q"]);
        assert_eq!(carried("(params.p | literal) == 'a' or (params.q | hash)"), Vec::<String>::new());
    }

    #[test]
    fn unknown_words_and_missing_else_are_refused() {
        assert_eq!(read("a | uper").unwrap_err(), ["there is no filter `uper`; did you mean `upper`?"]);
        assert_eq!(read("a.b()").unwrap_err(), ["methods cannot be called; use a filter"]);
        assert_eq!(read("1 if a").unwrap_err().len(), 1);
        assert!(read("a +").is_err());
        assert!(read("").is_err());
    }
}

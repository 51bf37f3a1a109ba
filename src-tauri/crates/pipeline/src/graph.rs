//! Who feeds whom. An edge goes from the stage that makes a path to the stage that reads it, a folder around it, or a file inside it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
};

use crate::{Error, Result, paths, stage::Stage};

/// The graph over stages, which are named by their index in the pipeline.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    /// For each stage, those whose outputs it reads.
    pub(crate) upstream: Vec<BTreeSet<usize>>,
    pub(crate) downstream: Vec<BTreeSet<usize>>,
    /// Every stage after all that it reads from; otherwise in the order of the files.
    pub(crate) order: Vec<usize>,
}

impl Graph {
    /// Builds the graph, or says which outputs collide or which stages form a circle.
    pub(crate) fn build(stages: &[Stage]) -> Result<Self> {
        let outs = outputs(stages)?;
        let mut upstream = vec![BTreeSet::new(); stages.len()];
        let mut downstream = vec![BTreeSet::new(); stages.len()];
        for (reader, stage) in stages.iter().enumerate() {
            let deps = stage.deps.iter().map(|dep| dep.path.as_str());
            let files = stage.params.iter().map(|file| file.path.as_str());
            for path in deps.chain(files) {
                for maker in makers(&outs, path) {
                    if maker == reader {
                        return Err(Error::SelfDependency {
                            stage: stage.address.clone(),
                            path: path.to_owned(),
                        });
                    }
                    upstream[reader].insert(maker);
                    downstream[maker].insert(reader);
                }
            }
        }
        let order = topological(stages, &upstream)?;
        Ok(Self {
            upstream,
            downstream,
            order,
        })
    }

    /// The given stages and everything reached from them through `next`.
    pub(crate) fn reach(from: &[usize], next: impl Fn(usize) -> Vec<usize>) -> BTreeSet<usize> {
        let mut seen: BTreeSet<usize> = from.iter().copied().collect();
        let mut queue: VecDeque<usize> = from.iter().copied().collect();
        while let Some(stage) = queue.pop_front() {
            for other in next(stage) {
                if seen.insert(other) {
                    queue.push_back(other);
                }
            }
        }
        seen
    }
}

/// Every output with its maker; none twice, none inside another.
fn outputs(stages: &[Stage]) -> Result<BTreeMap<&str, usize>> {
    let mut outs: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, stage) in stages.iter().enumerate() {
        for out in &stage.outs {
            if let Some(first) = outs.insert(&out.path, index) {
                return Err(Error::DuplicateOutput {
                    path: out.path.clone(),
                    first: stages[first].address.clone(),
                    second: stage.address.clone(),
                });
            }
        }
    }
    for (&inner, &second) in &outs {
        if let Some((&outer, &first)) = around(&outs, inner).find(|(outer, _)| **outer != inner) {
            return Err(Error::OverlappingOutputs {
                outer: outer.to_owned(),
                first: stages[first].address.clone(),
                inner: inner.to_owned(),
                second: stages[second].address.clone(),
            });
        }
    }
    Ok(outs)
}

/// Outputs that are this path or a folder around it.
fn around<'a>(
    outs: &'a BTreeMap<&'a str, usize>,
    path: &'a str,
) -> impl Iterator<Item = (&'a &'a str, &'a usize)> {
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([path.len()]);
    ends.filter_map(|end| outs.get_key_value(&path[..end]))
}

fn makers(outs: &BTreeMap<&str, usize>, path: &str) -> Vec<usize> {
    let inside = format!("{path}/");
    let below = outs
        .range::<str, _>((Bound::Included(inside.as_str()), Bound::Unbounded))
        .take_while(|(out, _)| paths::is_within(out, path))
        .map(|(_, maker)| *maker);
    around(outs, path)
        .map(|(_, maker)| *maker)
        .chain(below)
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Depth first with an own stack, because a chain may be longer than the thread's.
fn topological(stages: &[Stage], upstream: &[BTreeSet<usize>]) -> Result<Vec<usize>> {
    let mut marks = vec![Mark::New; stages.len()];
    let mut order = Vec::with_capacity(stages.len());
    for root in 0..stages.len() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        let mut path: Vec<(usize, Vec<usize>)> = vec![(root, waiting(upstream, root))];
        while let Some((stage, rest)) = path.last_mut() {
            match rest.pop() {
                Some(next) if marks[next] == Mark::Open => {
                    return Err(circle(stages, &path, next));
                }
                Some(next) if marks[next] == Mark::New => {
                    marks[next] = Mark::Open;
                    path.push((next, waiting(upstream, next)));
                }
                Some(_) => {}
                None => {
                    marks[*stage] = Mark::Done;
                    order.push(*stage);
                    path.pop();
                }
            }
        }
    }
    Ok(order)
}

fn waiting(upstream: &[BTreeSet<usize>], stage: usize) -> Vec<usize> {
    upstream[stage].iter().rev().copied().collect()
}

fn circle(stages: &[Stage], path: &[(usize, Vec<usize>)], closes: usize) -> Error {
    let from = path
        .iter()
        .position(|(stage, _)| *stage == closes)
        .unwrap_or(0);
    // The walk went from reader to maker; people read it in the direction of the data.
    let mut names: Vec<String> = path[from..]
        .iter()
        .rev()
        .map(|(stage, _)| stages[*stage].address.clone())
        .collect();
    names.extend(names.first().cloned());
    Error::Cycle { stages: names }
}

//! Where the host's side of a component's resources is kept: one list for each kind, indexed by the number that an engine
//! knows a resource by (its `rep`).
//!
//! An engine has checked before every call that the guest holds the resource that it names, and of which kind it is. What
//! refers to another resource, a pollable to its stream, may outlive it, and so remembers which one it meant ([`Id`]).

/// Resources of one kind.
#[derive(Debug)]
pub struct Slab<R> {
    slots: Vec<Slot<R>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<R> {
    /// How many have been here before.
    generation: u32,
    resource: Option<R>,
}

/// A resource that may be gone by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    rep: u32,
    generation: u32,
}

impl<R> Default for Slab<R> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<R> Slab<R> {
    /// Takes a resource in. The callers bound how many there are, far below what a u32 counts.
    #[inline]
    pub fn insert(&mut self, resource: R) -> u32 {
        if let Some(rep) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(rep as usize)
        {
            slot.resource = Some(resource);
            return rep;
        }
        self.slots.push(Slot { generation: 0, resource: Some(resource) });
        (self.slots.len() - 1) as u32
    }

    /// The resource of this number.
    #[inline]
    #[must_use]
    pub fn get(&self, rep: u32) -> Option<&R> {
        self.slots.get(rep as usize).and_then(|slot| slot.resource.as_ref())
    }

    /// The same, to change.
    #[inline]
    pub fn get_mut(&mut self, rep: u32) -> Option<&mut R> {
        self.slots.get_mut(rep as usize).and_then(|slot| slot.resource.as_mut())
    }

    /// Takes a resource out.
    #[inline]
    pub fn remove(&mut self, rep: u32) -> Option<R> {
        let slot = self.slots.get_mut(rep as usize)?;
        let resource = slot.resource.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(rep);
        Some(resource)
    }

    /// What to remember of a resource that is here now.
    #[inline]
    #[must_use]
    pub fn id(&self, rep: u32) -> Id {
        Id { rep, generation: self.slots.get(rep as usize).map_or(0, |slot| slot.generation) }
    }

    /// The resource that was meant; `None`: it is gone.
    #[inline]
    #[must_use]
    pub fn by_id(&self, id: Id) -> Option<&R> {
        let slot = self.slots.get(id.rep as usize).filter(|slot| slot.generation == id.generation)?;
        slot.resource.as_ref()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_an_old_id_does_not_find_what_is_there_now() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        let id = slab.id(first);
        assert_eq!(slab.by_id(id), Some(&"a"));
        assert_eq!(slab.remove(first), Some("a"));
        assert_eq!(slab.insert("b"), first);
        assert_eq!((slab.by_id(id), slab.get(first), slab.len()), (None, Some(&"b"), 1));
        assert_eq!(slab.remove(7), None);
    }
}

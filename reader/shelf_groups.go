package reader

import "slices"

// groups finds the records of each of some keys.
type groups struct {
	slots []group
	// Where keys lie close together, as the ids of one page's records mostly do, they are found by their distance from the
	// first: dense has slots' numbers, from 1 on, 0 for a key that is not one of them. Otherwise sparse has them.
	first  int64
	dense  []int32
	sparse map[int64]int32
}

// group are the records of one key.
type group struct{ first, last, count int }

const (
	// closeInMemory is among how many numbers in a row a key is one for the keys to be close together.
	closeInMemory = 16
	// closeKeys is from how many keys on an index may be read from the first to the last rather than key by key. What
	// others have between them, one for four at most, is read too and passed over.
	closeKeys = 16
)

// expect forgets all groups and makes those of keys, which are in order and each there once.
func (g *groups) expect(keys []int64) {
	g.clear()
	g.slots = slices.Grow(g.slots, len(keys))[:len(keys)]
	clear(g.slots)
	if len(keys) == 0 {
		return
	}
	if among := reach(keys); among <= closeInMemory*int64(len(keys)) {
		g.first = keys[0]
		g.dense = slices.Grow(g.dense, int(among))[:among]
		clear(g.dense)
		for i, key := range keys {
			g.dense[key-g.first] = int32(i + 1)
		}
		return
	}
	if g.sparse == nil {
		g.sparse = make(map[int64]int32, len(keys))
	}
	for i, key := range keys {
		g.sparse[key] = int32(i + 1)
	}
}

// reach is how many numbers in a row the keys are among, which are in order; without bounds where that is
// more than fits.
func reach(keys []int64) int64 {
	n := keys[len(keys)-1] - keys[0] + 1
	if n <= 0 {
		return 1<<63 - 1
	}
	return n
}

// closeTogether reports whether it is better to read all records between the first and the last of the keys.
func closeTogether(keys []int64) bool {
	return len(keys) >= closeKeys && reach(keys) <= int64(len(keys)+len(keys)/4)
}

// of returns the group of a key, nil where the key is not expected.
func (g *groups) of(key int64) *group {
	slot := int32(0)
	if at := key - g.first; len(g.dense) > 0 && at >= 0 && at < int64(len(g.dense)) {
		slot = g.dense[at]
	} else if len(g.sparse) > 0 {
		slot = g.sparse[key]
	}
	if slot == 0 {
		return nil
	}
	return &g.slots[slot-1]
}

// clear forgets all groups.
func (g *groups) clear() {
	g.slots, g.dense = g.slots[:0], g.dense[:0]
	clear(g.sparse)
}

package jsonschema

import "strconv"

func (d *differ) array(original, update *node) {
	d.in(func() { d.compare(original.items, update.items) }, "items")
	d.tuple(original, update)
	d.in(func() { d.content(additionalItems, original.additional, update.additional) }, "additionalItems")
	d.in(func() { d.unevaluated(unevaluatedItems, original.unevaluated, update.unevaluated) }, "unevaluatedItems")
	switch {
	case original.unique && !update.unique:
		d.add(uniqueRemoved, "uniqueItems")
	case !original.unique && update.unique:
		d.add(uniqueAdded, "uniqueItems")
	}
}

// openArray says whether anything may follow the items that have schemas of their own.
func openArray(n *node) bool {
	return !n.additional.forbidden && n.additional.schema == nil && (n.unevaluated == nil || n.unevaluated.isEmpty())
}

func (d *differ) tuple(original, update *node) {
	for i := range max(len(original.tuple), len(update.tuple)) {
		d.in(func() {
			switch {
			case i < len(original.tuple) && i < len(update.tuple):
				d.compare(original.tuple[i], update.tuple[i])
			case i < len(original.tuple):
				d.itemRemoved(original.tuple[i], update)
			default:
				d.itemAdded(update.tuple[i], original)
			}
		}, "items", strconv.Itoa(i))
	}
}

func (d *differ) itemRemoved(item, update *node) {
	beside := besides(update)
	switch {
	case openArray(update):
		d.add(itemRemovedFromOpen)
	case beside != nil:
		d.covered(item, beside, itemRemovedCovered, itemRemovedNotCovered)
	case item.isFalse():
		d.add(falseItemRemoved)
	default:
		d.add(itemRemovedFromClosed)
	}
}

func (d *differ) itemAdded(item, original *node) {
	beside := besides(original)
	switch {
	case openArray(original) && item.isEmpty():
		d.add(emptyItemAdded)
	case openArray(original):
		d.add(itemAddedToOpen)
	case beside != nil:
		d.covered(beside, item, itemAddedCovered, itemAddedNotCovered)
	default:
		d.add(itemAddedToClosed)
	}
}

package tripplite

import (
	"slices"

	"github.com/tripplite-go/tripplite/internal/usb"
)

// family is what the product id of a unit tells: which protocol it speaks, not which model it is.
type family struct {
	name     string
	vendor   uint16
	products []uint16 // nil: every other one of the vendor
	framed   bool     // it speaks the framed protocol, and is no HID power device
	// iface is the HID interface of the UPS on units that have several; 0 where the descriptors
	// tell, or there is one.
	iface int
}

// vendorTrippLite is the vendor id whose every product is read.
const vendorTrippLite = 0x09ae

// families has every product id that is known, and is the only place where product ids stand. A
// unit of Tripp Lite's that is not here is read by its descriptor all the same. Other vendors'
// units are never touched.
//
// The ids are those that NUT 2.8.5 knows, and some that users reported; docs/compatibility.md has
// the evidence for each.
var families = []family{
	{name: "Tripp Lite 0001", vendor: vendorTrippLite, products: []uint16{0x0001},
		framed: true},
	{name: "Tripp Lite 1xxx", vendor: vendorTrippLite, products: []uint16{
		0x1003, 0x1007, 0x1008, 0x1009, 0x1010, 0x1330}},
	{name: "Tripp Lite 2xxx", vendor: vendorTrippLite, products: []uint16{
		0x2005, 0x2007, 0x2008, 0x2009, 0x2010, 0x2011, 0x2012, 0x2013, 0x2014}},
	{name: "Tripp Lite 3xxx", vendor: vendorTrippLite, products: []uint16{
		0x3008, 0x3009, 0x3010, 0x3011, 0x3012, 0x3013, 0x3014, 0x3015, 0x3016, 0x3018, 0x3024, 0x3026}},
	{name: "Tripp Lite 3xxx", vendor: vendorTrippLite, products: []uint16{0x3028}, iface: 1},
	{name: "Tripp Lite 4xxx", vendor: vendorTrippLite, products: []uint16{
		0x4001, 0x4002, 0x4003, 0x4004, 0x4005, 0x4006, 0x4007, 0x4008}},
	{name: "Tripp Lite", vendor: vendorTrippLite},
	{name: "HP", vendor: 0x03f0, products: []uint16{
		0x1fe0, 0x1fe1, 0x1fe2, 0x1fe3, 0x1f06, 0x1f08, 0x1f09, 0x1f0a}},
	{name: "Delta/Minuteman", vendor: 0x05dd, products: []uint16{0xa011, 0xa0a0}},
}

// familyOf returns the family of a device, if it is a UPS that this package may touch.
func familyOf(vendor, product uint16) (family, bool) {
	for _, f := range families {
		if vendor == f.vendor && (f.products == nil || slices.Contains(f.products, product)) {
			return f, true
		}
	}
	return family{}, false
}

// usbIDs returns the ids of every device that this package may touch.
func usbIDs() []usb.ID {
	var ids []usb.ID
	for _, f := range families {
		if f.vendor == vendorTrippLite {
			continue
		}
		for _, product := range f.products {
			ids = append(ids, usb.ID{Vendor: f.vendor, Product: product})
		}
	}
	return append(ids, usb.ID{Vendor: vendorTrippLite}) // with any product
}

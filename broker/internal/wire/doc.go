// Package wire checks the bytes of a request before anything is made of them.
//
// The codec takes a count's word for how many elements follow, as long as there is a byte for each, and skips as many tagged fields as it is told
// to: a frame of a few bytes can keep it busy for minutes, one of a hundred megabytes can make it allocate gigabytes. [Check] walks over the bytes
// with the layout of the request and refuses what does not fit, so that the codec is only given what it can read in the memory of the frame.
package wire

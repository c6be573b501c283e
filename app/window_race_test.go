//go:build race

package main

const raceDetector = true // and everything takes ten times as long

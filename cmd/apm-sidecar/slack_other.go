//go:build !linux

package main

// sleepLazily does nothing where sleeps have no slack.
func sleepLazily() {}

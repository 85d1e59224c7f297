//! A TCP server on a listening socket that the host handed over, through package net: Go waits for its sockets with one
//! poll_oneoff for all goroutines, so they must not block.
//!
//! `echo_server_go [DESCRIPTOR [CONNECTIONS]]` takes the listener's descriptor from the first argument, else from the
//! variable LISTEN_FD, else 3; serves so many connections (1) one after another, each to its end; and prints how many
//! bytes went through each.

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo_server_go:", err)
		os.Exit(1)
	}
}

func main() {
	descriptor, connections := 3, 1
	if text := os.Getenv("LISTEN_FD"); text != "" {
		descriptor = number(text)
	}
	if len(os.Args) > 1 {
		descriptor = number(os.Args[1])
	}
	if len(os.Args) > 2 {
		connections = number(os.Args[2])
	}

	check(syscall.SetNonblock(descriptor, true))
	listener, err := net.FileListener(os.NewFile(uintptr(descriptor), "listener"))
	check(err)
	for range connections {
		connection, err := listener.Accept()
		check(err)
		served, err := io.Copy(connection, connection)
		check(err)
		check(connection.Close())
		fmt.Printf("served %d bytes\n", served)
	}
}

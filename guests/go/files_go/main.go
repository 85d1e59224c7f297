//! What Go's standard library makes of a host: files, directories, standard input, sleeping, goroutines. A line for
//! each step, without times or anything else that differs from run to run.
//!
//! `files_go DIRECTORY` counts the lines of standard input, leaves the directory empty, and ends with the status that
//! the variable EXIT asks for (0 without it).
//!
//! Native: the same source runs outside WebAssembly, and prints the same.

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "files_go:", err)
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

// kind names the errors that package fs has names for.
func kind(err error) string {
	for _, known := range []error{fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed, io.EOF} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err == nil {
		return "no error"
	}
	return "another error"
}

func files(root string) {
	path := filepath.Join(root, "file")
	check(os.WriteFile(path, []byte("hello, world"), 0o644))
	fmt.Printf("ReadFile: %s\n", must(os.ReadFile(path)))

	file := must(os.OpenFile(path, os.O_RDWR, 0))
	fmt.Println("Seek:", must(file.Seek(-5, io.SeekEnd)))
	buffer := make([]byte, 5)
	fmt.Println("Read:", must(io.ReadFull(file, buffer)), string(buffer))
	fmt.Println("ReadAt:", must(file.ReadAt(buffer, 0)), string(buffer))
	fmt.Println("WriteAt:", must(file.WriteAt([]byte("HELLO"), 0)))
	_, err := file.ReadAt(buffer, 10)
	fmt.Println("ReadAt over the end:", kind(err))
	check(file.Truncate(5))
	check(file.Sync())
	information := must(file.Stat())
	fmt.Println("Stat:", information.Name(), information.Size(), information.Mode().IsRegular())
	check(file.Close())
	_, err = file.Read(buffer)
	fmt.Println("Read after Close:", kind(err))

	log := must(os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0))
	must(log.WriteString(" again"))
	check(log.Close())
	fmt.Printf("appended: %s\n", must(os.ReadFile(path)))

	when := time.Unix(1_234_567_890, 0)
	check(os.Chtimes(path, when, when))
	fmt.Println("Chtimes:", must(os.Stat(path)).ModTime().Equal(when))

	check(os.Rename(path, path+"-renamed"))
	_, err = os.Open(path)
	fmt.Println("Open of the old name:", kind(err))
	_, err = os.OpenFile(path+"-renamed", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	fmt.Println("O_EXCL of what is there:", kind(err))
	check(os.Link(path+"-renamed", path+"-linked"))
	check(os.Symlink("file-renamed", path+"-pointer"))
	fmt.Println("Readlink:", must(os.Readlink(path+"-pointer")))
	fmt.Printf("through links: %s, %s\n", must(os.ReadFile(path+"-linked")), must(os.ReadFile(path+"-pointer")))
}

func directories(root string) {
	check(os.MkdirAll(filepath.Join(root, "tree", "branch", "twig"), 0o755))
	for _, name := range []string{"tree/a", "tree/branch/b", "tree/branch/twig/c"} {
		check(os.WriteFile(filepath.Join(root, name), []byte(name), 0o644))
	}
	fmt.Println("Mkdir again:", kind(os.Mkdir(filepath.Join(root, "tree"), 0o755)))
	check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		check(err)
		relative := must(filepath.Rel(root, path))
		size := int64(0)
		if entry.Type().IsRegular() {
			size = must(entry.Info()).Size()
		}
		fmt.Printf("WalkDir: %s %v %d\n", filepath.ToSlash(relative), entry.Type(), size)
		return nil
	}))
	fmt.Println("Glob:", len(must(filepath.Glob(filepath.Join(root, "file-*")))))
	fmt.Println("ReadFile in an fs.FS:", string(must(fs.ReadFile(os.DirFS(root), "tree/branch/b"))))
	for _, entry := range must(os.ReadDir(root)) {
		check(os.RemoveAll(filepath.Join(root, entry.Name())))
	}
	fmt.Println("left:", len(must(os.ReadDir(root))))
}

func input() {
	lines, longest := 0, ""
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		lines++
		if line := scanner.Text(); len(line) > len(longest) {
			longest = line
		}
	}
	check(scanner.Err())
	fmt.Printf("stdin: %d lines, the longest %q\n", lines, longest)
}

func sleepers() {
	start := time.Now()
	time.Sleep(5 * time.Millisecond)
	fmt.Println("slept long enough:", time.Since(start) >= 5*time.Millisecond)

	woken := make(chan int)
	for _, delay := range []int{60, 0, 30} {
		go func() {
			time.Sleep(time.Duration(delay) * time.Millisecond)
			woken <- delay
		}()
	}
	fmt.Println("woken:", <-woken, <-woken, <-woken)

	sum, numbers := 0, make(chan int, 8)
	go func() {
		defer close(numbers)
		for number := range 1000 {
			numbers <- number
		}
	}()
	for number := range numbers {
		sum += number
	}
	fmt.Println("sum through a channel:", sum)

	select {
	case <-woken:
		fmt.Println("select: something came")
	case <-time.After(10 * time.Millisecond):
		fmt.Println("select: nothing came")
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: files_go DIRECTORY")
		os.Exit(2)
	}
	fmt.Println("arguments:", strings.Join(os.Args[2:], ", "))
	files(os.Args[1])
	directories(os.Args[1])
	input()
	sleepers()
	status, _ := strconv.Atoi(os.Getenv("EXIT"))
	os.Exit(status)
}

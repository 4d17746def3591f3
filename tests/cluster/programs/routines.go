// SPDX-License-Identifier: GPL-2.0-or-later

// routines - Go: 200 goroutines, channels, timers, a ticker, the garbage collector; on either side of the gate
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func work(seed uint64) (sum uint64) {
	for i := 0; i < 200; i++ {
		cell := make([]uint64, 256)
		for k := range cell {
			seed = seed*6364136223846793005 + 1442695040888963407
			cell[k] = seed >> 33
		}
		sum += cell[i]
	}
	return sum
}

func all(phase uint64) (sum uint64) {
	results := make(chan uint64)
	var wait sync.WaitGroup
	for i := uint64(0); i < 200; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			time.Sleep(time.Duration(i%20) * time.Millisecond)
			results <- work(phase*1000 + i)
		}()
	}
	go func() {
		wait.Wait()
		close(results)
	}()
	for r := range results {
		sum += r
	}
	return sum
}

func main() {
	ticker := time.NewTicker(10 * time.Millisecond)
	first := all(1)
	fmt.Println("before the gate:", first)
	fmt.Println("ready")
	for {
		if _, err := os.Stat("go"); err == nil {
			break
		}
		if all(1) != first {
			fmt.Println("another sum at the gate")
		}
		time.Sleep(300 * time.Millisecond)
		<-ticker.C
		select {
		case <-ticker.C:
		case <-time.After(10 * time.Second):
			fmt.Println("the ticker does not tick")
		}
	}
	for phase := uint64(2); phase < 8; phase++ {
		fmt.Println(phase, all(phase))
	}
	runtime.GC()
	fmt.Println(all(1) == first)
	fmt.Println("end")
}

package loadsim_test

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

func ExampleParseCurve() {
	curve, err := loadsim.ParseCurve("burst(200m,2200m,20s,10s)")
	if err != nil {
		fmt.Println(err)
		return
	}
	for since := time.Duration(0); since < 30*time.Second; since += 5 * time.Second {
		fmt.Printf("%3s %4dm\n", since, curve(since))
	}
	// Output:
	//  0s 2200m
	//  5s 2200m
	// 10s  200m
	// 15s  200m
	// 20s 2200m
	// 25s 2200m
}

func ExampleParseCurve_mistake() {
	_, err := loadsim.ParseCurve("burst(200m,2200m,20s,1m)")
	fmt.Println(err)
	// Output:
	// load "burst(200m,2200m,20s,1m)": on (1m0s) is longer than the period (20s)
}

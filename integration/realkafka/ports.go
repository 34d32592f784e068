package realkafka

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// freePorts looks for n ports in a row that nobody listens on, below the range that the kernel gives to outgoing connections: a broker that was killed
// must be able to have its port again.
func freePorts(n int) (base int, err error) {
	for range 100 {
		base = 20000 + rand.IntN(1100)*10
		if allFree(base, n) {
			return base, nil
		}
	}
	return 0, errors.New("no free ports between 20000 and 31000")
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

//go:build !cuda

package main

import (
	"errors"

	"longhand/rl/model"
)

var errNoCUDA = errors.New("this trainer was built without CUDA (make trainer builds it in, on Linux); use --device cpu")

func foundCUDA() error { return errNoCUDA }

func openCUDA(bool) (model.Device, error) { return nil, errNoCUDA }
